import Application
import Domain
import EventLoop
import Shared
import TestSupport
import Testing

@testable import Infrastructure

extension ManualClock: MonotonicClock {}

/// Keeps what a provider gives; a test may make it wait for room.
private final class SinkRecorder: AnswerSink {
    var texts: [String] = []
    /// When each text came.
    var times: [Duration] = []
    var gate: OneShot<Void>?
    let clock: ManualClock

    init(_ clock: ManualClock) { self.clock = clock }

    func receive(_ kind: AnswerText, _ text: String) {
        texts.append(text)
        times.append(clock.now)
    }

    func waitForRoom() async throws(AIFailure) {
        guard let gate else { return }
        do { try await gate.value() } catch { throw .cancelled }
    }
}

/// A provider made of a closure.
private struct ClosureClient: AIStreamingClient {
    let identity: ProviderIdentity
    let body: (any AnswerSink) async throws(AIFailure) -> Void

    init(_ name: String, _ body: @escaping (any AnswerSink) async throws(AIFailure) -> Void) {
        identity = ProviderIdentity(name: name, model: "\(name)-1")
        self.body = body
    }

    func stream(_ question: Question, into sink: any AnswerSink) async throws(AIFailure) -> Solution {
        try await body(sink)
        return Solution(
            provider: identity.name,
            model: identity.model,
            finishReason: .stop,
            usage: TokenUsage(inputTokens: 1, outputTokens: 1, isEstimated: false),
        )
    }
}

private func question(_ text: String, maxOutputTokens: Int? = nil) -> Question {
    Question(problem: MathProblem(stored: text), options: SolveOptions(maxOutputTokens: maxOutputTokens))
}

@Suite("The mock provider")
struct MockClientTests {
    private func client(
        _ clock: ManualClock,
        tokens: Int? = nil,
        first: Duration = .zero,
        delay: Duration = .zero,
        content: MockClient.Options.Content = .echo,
        script: String = ""
    ) throws -> MockClient {
        MockClient(
            options: .init(tokens: tokens, firstTokenDelay: first, tokenDelay: delay, content: content),
            script: try MockScript(script),
            clock: clock,
        )
    }

    @Test("it echoes the words, again from the start until there are enough, up to the client's limit")
    func echo() async throws {
        try await onLoop { loop in
            let clock = ManualClock(loop: loop, isAutomatic: true)
            let sink = SinkRecorder(clock)
            let once = try await client(clock).stream(question(" 2x  +\n3 "), into: sink)
            #expect(sink.texts == ["2x ", "+ ", "3 "])
            #expect(once.finishReason == .stop)
            #expect(once.usage == TokenUsage(inputTokens: 3, outputTokens: 3, isEstimated: false))
            sink.texts = []
            _ = try await client(clock, tokens: 7).stream(question("a b c"), into: sink)
            #expect(sink.texts.joined() == "a b c a b c a ")
            sink.texts = []
            let cut = try await client(clock, tokens: 7).stream(question("a b c", maxOutputTokens: 2), into: sink)
            #expect(sink.texts == ["a ", "b "] && cut.finishReason == .length)
            #expect(cut.usage.outputTokens == 2)
        }
    }

    @Test("tokens come when they are due by the clock, late ones in one go")
    func pacing() async throws {
        try await onLoop { loop in
            let clock = ManualClock(loop: loop)
            let sink = SinkRecorder(clock)
            let mock = try client(clock, tokens: 6, first: .milliseconds(100), delay: .milliseconds(10))
            let begin = clock.now
            let task = loop.spawn { _ = try? await mock.stream(question("a"), into: sink) }
            try await eventually("a sleep", on: loop) { clock.sleeperCount == 1 }
            #expect(sink.texts.isEmpty)
            clock.advance(by: .milliseconds(100))
            try await eventually("the next sleep", on: loop) { clock.sleeperCount == 1 }
            #expect(sink.times.map { $0 - begin } == [.milliseconds(100)])
            clock.advance(by: .milliseconds(10))
            try await eventually("the next sleep", on: loop) { clock.sleeperCount == 1 }
            #expect(sink.texts.count == 2)
            clock.advance(by: .milliseconds(35))
            try await eventually("the next sleep", on: loop) { clock.sleeperCount == 1 }
            #expect(sink.texts.count == 5, "three were due")
            clock.advance(by: .milliseconds(5))
            await task.value
            #expect(sink.texts.count == 6)
        }
    }

    @Test("a long answer without delays gives the loop its turns, and can be cancelled")
    func cancelling() async throws {
        try await onLoop { loop in
            let clock = ManualClock(loop: loop, isAutomatic: true)
            let sink = SinkRecorder(clock)
            let mock = try client(clock, tokens: 10_000_000)
            var failure: AIFailure?
            let task = loop.spawn {
                do throws(AIFailure) { _ = try await mock.stream(question("a"), into: sink) } catch { failure = error }
            }
            try await eventually("some tokens", on: loop) { sink.texts.count > 200 }
            task.cancel()
            await task.value
            #expect(failure == .cancelled)
        }
    }

    @Test("timestamps are the clock in nanoseconds")
    func timestamps() async throws {
        try await onLoop { loop in
            let clock = ManualClock(loop: loop, isAutomatic: true)
            let sink = SinkRecorder(clock)
            let mock = try client(clock, tokens: 2, delay: .milliseconds(1), content: .timestamps)
            _ = try await mock.stream(question("x"), into: sink)
            #expect(sink.texts == ["1000000000000 ", "1000001000000 "])
        }
    }

    @Test("it fails, rejects and filters by its script")
    func script() async throws {
        try await onLoop { loop in
            let clock = ManualClock(loop: loop, isAutomatic: true)
            let sink = SinkRecorder(clock)
            let script = """
                # A comment
                fail x1 when early
                fail:2 when late   # after two tokens
                reject when bad
                content-filter when rude words
                """
            let mock = try client(clock, script: script)
            func run(_ text: String) async -> String {
                sink.texts = []
                do throws(AIFailure) {
                    return try await mock.stream(question(text), into: sink).finishReason.rawValue
                } catch {
                    switch error {
                    case .failed: return "failed after \(sink.texts.count)"
                    case .rejected: return "rejected after \(sink.texts.count)"
                    case .timedOut, .cancelled: return "\(error)"
                    }
                }
            }
            #expect(await run("early a b") == "failed after 0")
            #expect(await run("early a b") == "stop", "once only")
            #expect(await run("late a b c") == "failed after 2")
            #expect(await run("bad") == "rejected after 0")
            #expect(await run("some rude words here") == "content_filter")
            #expect(await run("anything else") == "stop")
        }
    }

    @Test(
        "a malformed script names the line",
        arguments: [
            "explode", "fail:x", "fail:-1", "fail x0", "fail xx", "fail when", "fail y2", "answer\nhang:1 whenever",
        ],
    )
    func malformed(text: String) {
        let error = #expect(throws: MockScript.Malformed.self) { _ = try MockScript(text) }
        #expect(error?.line == (text.contains("\n") ? 2 : 1))
    }
}

private let limits = ProviderChain.Limits(firstToken: .seconds(3), idle: .seconds(2), total: .seconds(10))

private func makeChain(_ loop: Loop, _ clock: ManualClock, _ clients: [any AIStreamingClient]) -> ProviderChain {
    ProviderChain(clients: clients, limits: limits, clock: clock, tasks: LoopTasks(loop: loop))
}

private func solve(
    _ chain: ProviderChain,
    _ sink: any AnswerSink,
    requested: String? = nil
) async -> Result<String, AIFailure> {
    do throws(AIFailure) {
        return .success(try await chain.solve(question("x"), requested: requested, into: sink).provider)
    } catch {
        return .failure(error)
    }
}

private func failing(_ name: String, after texts: [String], _ failure: AIFailure) -> ClosureClient {
    ClosureClient(name) { sink throws(AIFailure) in
        for text in texts { sink.receive(.token, text) }
        throw failure
    }
}

private var good: ClosureClient {
    ClosureClient("good") { sink throws(AIFailure) in sink.receive(.token, "x") }
}

@Suite("The chain of providers")
struct ProviderChainTests {
    @Test("the next provider is asked only while nothing has reached the client")
    func fallback() async throws {
        try await onLoop { loop in
            let clock = ManualClock(loop: loop)
            let failed = AIFailure.failed(detail: "broke off")
            let sink = SinkRecorder(clock)
            let early = makeChain(loop, clock, [failing("bad", after: [], failed), good])
            #expect(await solve(early, sink) == .success("good"))
            let late = makeChain(loop, clock, [failing("bad", after: ["a"], failed), good])
            #expect(await solve(late, sink) == .failure(failed))
            let both = makeChain(
                loop,
                clock,
                [failing("bad", after: [], .timedOut(detail: "1")), failing("b", after: [], failed)]
            )
            #expect(await solve(both, sink) == .failure(failed), "the last one's failure is told")
        }
    }

    @Test("a rejected problem and a cancelled call go no further")
    func final() async throws {
        try await onLoop { loop in
            let clock = ManualClock(loop: loop)
            for failure in [AIFailure.rejected(detail: "no"), .cancelled] {
                let chain = makeChain(loop, clock, [failing("bad", after: [], failure), good])
                #expect(await solve(chain, SinkRecorder(clock)) == .failure(failure))
            }
        }
    }

    @Test("a provider that was asked for is asked alone")
    func requested() async throws {
        try await onLoop { loop in
            let clock = ManualClock(loop: loop)
            let failed = AIFailure.failed(detail: "broke off")
            let chain = makeChain(loop, clock, [good, failing("bad", after: [], failed)])
            #expect(chain.providerNames == ["good", "bad"])
            #expect(chain.firstChoice(requested: nil).name == "good")
            #expect(chain.firstChoice(requested: "bad").name == "bad")
            #expect(await solve(chain, SinkRecorder(clock), requested: "bad") == .failure(failed))
            #expect(await solve(chain, SinkRecorder(clock), requested: "gone since") == .success("good"))
        }
    }

    @Test("each limit of time cuts the call", arguments: [0, 1, 4])
    func limits(tokens: Int) async throws {
        try await onLoop { loop in
            let clock = ManualClock(loop: loop)
            let steps = OneShot<Void>(loop: loop)
            let silent = ClosureClient("silent") { sink throws(AIFailure) in
                do {
                    // With four tokens, 1.9 s apart, only the total limit is left to be broken.
                    for _ in 0..<tokens {
                        sink.receive(.token, "x")
                        try await clock.sleep(for: .milliseconds(1900))
                    }
                    if tokens == 4 {
                        while true {
                            sink.receive(.token, "y")
                            try await clock.sleep(for: .seconds(1))
                        }
                    }
                    try await steps.value()
                } catch {
                    throw .cancelled
                }
            }
            let begin = clock.now
            let chain = makeChain(loop, clock, [silent])
            var result: Result<String, AIFailure>?
            let task = loop.spawn { result = await solve(chain, SinkRecorder(clock)) }
            while result == nil {
                clock.advance(by: .milliseconds(100))
                for _ in 0..<4 { try await loop.sleep(for: .zero) }
                try #require(clock.now - begin < .seconds(30))
            }
            await task.value
            let expected = Duration.seconds([0: 3, 1: 2, 4: 10][tokens] ?? 0)
            let phrase = [0: "no first token", 1: "no further token", 4: "no complete answer"][tokens] ?? ""
            guard case .failure(.timedOut(let detail)) = result else {
                Issue.record("\(String(describing: result))")
                return
            }
            #expect(detail.contains(phrase) && detail.contains("silent"))
            let taken = clock.now - begin
            #expect(taken >= expected && taken <= expected + .milliseconds(300))
        }
    }

    @Test("time that the store takes is not the provider's")
    func backPressure() async throws {
        try await onLoop { loop in
            let clock = ManualClock(loop: loop)
            let sink = SinkRecorder(clock)
            let gate = OneShot<Void>(loop: loop)
            sink.gate = gate
            let fast = ClosureClient("fast") { sink throws(AIFailure) in
                sink.receive(.token, "x")
                try await sink.waitForRoom()
            }
            var result: Result<String, AIFailure>?
            let chain = makeChain(loop, clock, [fast])
            let task = loop.spawn { result = await solve(chain, sink) }
            for _ in 0..<50 {
                clock.advance(by: .milliseconds(100))
                try await loop.sleep(for: .zero)
            }
            #expect(result == nil, "five seconds without room are more than the idle limit")
            gate.succeed(())
            await task.value
            #expect(result == .success("fast"))
        }
    }

    @Test("cancelling the caller cancels the provider at once")
    func cancelled() async throws {
        try await onLoop { loop in
            let clock = ManualClock(loop: loop)
            var wasCancelled = false
            let silent = ClosureClient("silent") { _ throws(AIFailure) in
                do {
                    try await OneShot<Void>(loop: loop).value()
                } catch {
                    wasCancelled = true
                    throw .cancelled
                }
            }
            let chain = makeChain(loop, clock, [silent, good])
            var result: Result<String, AIFailure>?
            let task = loop.spawn { result = await solve(chain, SinkRecorder(clock)) }
            task.cancel()
            await task.value
            #expect(wasCancelled && result == .failure(.cancelled))
        }
    }
}

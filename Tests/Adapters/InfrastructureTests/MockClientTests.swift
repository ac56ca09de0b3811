import Application
import Domain
import EventLoop
import TestSupport
import Testing

@testable import Infrastructure

@Suite("The mock provider", .tags(.unit))
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
            let once = try await client(clock).stream(providerRequest(" 2x  +\n3 "), into: sink)
            #expect(sink.texts == ["2x ", "+ ", "3 "])
            #expect(once == .stop)
            #expect(sink.account?.usage == TokenUsage(inputTokens: 3, outputTokens: 3, isEstimated: false))
            sink.texts = []
            _ = try await client(clock, tokens: 7).stream(providerRequest("a b c"), into: sink)
            #expect(sink.texts.joined() == "a b c a b c a ")
            sink.texts = []
            let cut = try await client(clock, tokens: 7).stream(
                providerRequest("a b c", maxOutputTokens: 2),
                into: sink
            )
            #expect(sink.texts == ["a ", "b "] && cut == .length)
            #expect(sink.account?.usage.outputTokens == 2)
        }
    }

    @Test("tokens come when they are due by the clock, late ones in one go")
    func pacing() async throws {
        try await onLoop { loop in
            let clock = ManualClock(loop: loop)
            let sink = SinkRecorder(clock)
            let mock = try client(clock, tokens: 6, first: .milliseconds(100), delay: .milliseconds(10))
            let begin = clock.now
            let task = loop.spawn { _ = try? await mock.stream(providerRequest("a"), into: sink) }
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
            var failure: ProviderFailure?
            let task = loop.spawn {
                do throws(ProviderFailure) {
                    _ = try await mock.stream(providerRequest("a"), into: sink)
                } catch {
                    failure = error
                }
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
            _ = try await mock.stream(providerRequest("x"), into: sink)
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
                do throws(ProviderFailure) {
                    return try await mock.stream(providerRequest(text), into: sink).rawValue
                } catch {
                    switch error {
                    case .unavailable: return "failed after \(sink.texts.count)"
                    case .rejected: return "rejected after \(sink.texts.count)"
                    case .timedOut, .cancelled, .busy, .noRoom, .refused, .adapted: return "\(error)"
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

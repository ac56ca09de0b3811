import Application
import Domain
import EventLoop
import TestSupport
import Testing

@testable import Infrastructure

@Suite("The circuit breaker", .tags(.unit))
struct CircuitBreakerTests {
    private let breaker = CircuitBreaker(failuresMax: 3, openTime: .seconds(30))

    private func call(_ verdict: CircuitBreaker.Verdict, at seconds: Int) {
        let now = Duration.seconds(seconds)
        if let admission = breaker.admit(at: now) { breaker.settle(admission, verdict, at: now) }
    }

    @Test("failures in a row open it, for its time; a good call in between starts the row again")
    func opens() {
        for verdict in [CircuitBreaker.Verdict.bad, .bad, .good, .bad, .bad, .none] { call(verdict, at: 1) }
        #expect(breaker.state(at: .seconds(1)) == .closed)
        call(.bad, at: 2)
        #expect(breaker.state(at: .seconds(2)) == .open)
        #expect(breaker.admit(at: .seconds(31)) == nil)
        #expect(breaker.state(at: .seconds(32)) == .halfOpen)
    }

    @Test("half-open lets one call through; its first token closes it, its failure opens it for another time")
    func trial() throws {
        for _ in 0..<3 { call(.bad, at: 0) }
        let trial = try #require(breaker.admit(at: .seconds(30)))
        #expect(breaker.admit(at: .seconds(31)) == nil, "one at a time")
        breaker.settle(trial, .bad, at: .seconds(40))
        #expect(breaker.admit(at: .seconds(69)) == nil)
        let second = try #require(breaker.admit(at: .seconds(70)))
        breaker.settle(second, .none, at: .seconds(71))
        let third = try #require(breaker.admit(at: .seconds(71)), "a call that tells nothing leaves it to the next")
        breaker.sawToken(third)
        #expect(breaker.state(at: .seconds(71)) == .closed)
        breaker.settle(third, .bad, at: .seconds(90))
        #expect(breaker.state(at: .seconds(90)) == .closed, "one failure of a new row")
    }

    @Test("calls from before it opened change nothing")
    func late() throws {
        let early = try #require(breaker.admit(at: .zero))
        for _ in 0..<3 { call(.bad, at: 1) }
        breaker.sawToken(early)
        breaker.settle(early, .good, at: .seconds(2))
        #expect(breaker.state(at: .seconds(2)) == .open)
    }

    @Test("half-open, many threads at once get one call")
    func threads() async {
        for _ in 0..<3 { call(.bad, at: 0) }
        let admitted = await withTaskGroup { [breaker] group in
            for _ in 0..<64 { group.addTask { breaker.admit(at: .seconds(60)) != nil ? 1 : 0 } }
            return await group.reduce(0, +)
        }
        #expect(admitted == 1)
    }
}

@Suite("What guards the calls of a provider", .tags(.unit))
struct ProviderGuardTests {
    @Test("an open breaker lets the next provider answer at once, and alone it fails at once")
    func breaker() async throws {
        try await onLoop { loop in
            let bench = ProviderBench(loop)
            let gate = bench.gate("bad", failuresMax: 2)
            let chain = bench.chain(bench.failing("bad"), bench.good())
            for _ in 0..<4 { #expect(await bench.solve(chain) == .success("good")) }
            #expect(bench.calls == ["bad", "good", "bad", "good", "good", "good"])
            #expect(gate.breaker.state(at: bench.clock.now) == .open)
            #expect(bench.metric(#"lemma_provider_turned_away_total{provider="bad"}"#) == "2")
            guard case .failure(.failed) = await bench.solve(bench.chain(bench.failing("bad"))) else {
                Issue.record("it did not fail")
                return
            }
            bench.clock.advance(by: .seconds(30))
            #expect(await bench.solve(bench.chain(bench.good("bad"))) == .success("bad"))
            #expect(gate.breaker.state(at: bench.clock.now) == .closed)
        }
    }

    @Test("too much to do and a rejected request do not open it; silence does")
    func verdicts() async throws {
        try await onLoop { loop in
            for (failure, state) in [
                (ProviderFailure.busy(detail: ""), CircuitBreaker.State.closed), (.rejected(detail: ""), .closed),
                (.refused(detail: ""), .open), (.timedOut(detail: ""), .open), (.broken, .open),
            ] {
                let bench = ProviderBench(loop)
                let gate = bench.gate("bad", failuresMax: 1)
                _ = await bench.solve(bench.chain(bench.failing("bad", failure)))
                #expect(gate.breaker.state(at: bench.clock.now) == state, "\(failure)")
            }
        }
    }

    @Test("a failure before the first token is tried again after growing pauses, then the next provider is asked")
    func retries() async throws {
        try await onLoop { loop in
            let bench = ProviderBench(loop, isAutomatic: true)
            bench.retriesMax = 2
            bench.limits = CallLimits(firstToken: .seconds(1000), idle: .seconds(1000), total: .seconds(1000))
            let chain = bench.chain(bench.failing("bad"), bench.good())
            #expect(await bench.solve(chain) == .success("good"))
            #expect(bench.calls == ["bad", "bad", "bad", "good"])
            let pauses = bench.clock.sleeps.filter { $0 < .seconds(900) }
            #expect(pauses == [.milliseconds(100), .milliseconds(200)], "half of limits that double")
            #expect(bench.metric(#"lemma_provider_retries_total{provider="bad"}"#) == "2")
        }
    }

    @Test("nothing is tried again after the first token, after silence, or when the account is refused")
    func noRetries() async throws {
        try await onLoop { loop in
            let bench = ProviderBench(loop, isAutomatic: true)
            bench.retriesMax = 5
            for failure in [ProviderFailure.timedOut(detail: ""), .refused(detail: ""), .rejected(detail: "")] {
                _ = await bench.solve(bench.chain(bench.failing("a", failure)))
            }
            _ = await bench.solve(bench.chain(bench.failing("a", after: ["x"])))
            #expect(bench.calls.count == 4)
        }
    }

    @Test(
        "a pause that a provider asks for is kept: by the next provider, else a short one in place, else by a later attempt"
    )
    func retryAfter() async throws {
        try await onLoop { loop in
            let bench = ProviderBench(loop, isAutomatic: true)
            bench.retriesMax = 1
            bench.limits = CallLimits(firstToken: .seconds(1000), idle: .seconds(1000), total: .seconds(1000))
            let short = bench.failing("short", .busy(detail: "", retryAfter: .seconds(5)))
            #expect(await bench.solve(bench.chain(short, bench.good())) == .success("good"))
            #expect(bench.clock.sleeps.filter { $0 < .seconds(900) } == [])
            #expect(await bench.solve(bench.chain(short)) == .failure(.overloaded(detail: "", retryAfter: .seconds(5))))
            #expect(bench.clock.sleeps.filter { $0 < .seconds(900) } == [.milliseconds(5100)])
            let long = bench.failing("long", .unavailable(detail: "full", retryAfter: .seconds(6)))
            #expect(await bench.solve(bench.chain(long, bench.good())) == .success("good"))
            let alone = AIFailure.overloaded(detail: "full", retryAfter: .seconds(6))
            #expect(await bench.solve(bench.chain(long)) == .failure(alone))
            let endless = bench.failing("endless", .busy(detail: "", retryAfter: .seconds(86_400)))
            let capped = AIFailure.overloaded(detail: "", retryAfter: .seconds(60))
            #expect(await bench.solve(bench.chain(endless)) == .failure(capped))
            #expect(bench.calls == ["short", "good", "short", "short", "long", "good", "long", "endless"])
        }
    }

    @Test("a provider is not called before the time that it named")
    func pause() async throws {
        try await onLoop { loop in
            let bench = ProviderBench(loop)
            let busy = bench.failing("busy", .busy(detail: "full", retryAfter: .milliseconds(34_070)))
            #expect(await bench.solve(bench.chain(busy, bench.good())) == .success("good"))
            #expect(await bench.solve(bench.chain(busy, bench.good())) == .success("good"))
            bench.clock.advance(by: .seconds(20))
            let detail = "The provider busy wants to be left alone for a while."
            let alone = AIFailure.overloaded(detail: detail, retryAfter: .milliseconds(14_070))
            #expect(await bench.solve(bench.chain(busy)) == .failure(alone))
            #expect(bench.calls == ["busy", "good", "good"])
            #expect(bench.metric(#"lemma_provider_turned_away_total{provider="busy"}"#) == "2")
            // What is left is short: the only provider is waited for.
            bench.clock.advance(by: .seconds(10))
            var end: Result<String, AIFailure>?
            loop.spawn { end = await bench.solve(bench.chain(busy)) }
            let waited = try await bench.pass { bench.calls.count == 4 }
            #expect(waited >= .seconds(4) && waited < .seconds(5))
            _ = try await bench.pass { end != nil }
        }
    }

    @Test("of several failures the one counts after which another attempt may begin first")
    func soonest() async throws {
        try await onLoop { loop in
            let bench = ProviderBench(loop)
            func failing(_ name: String, _ failure: ProviderFailure) -> ClosureClient { bench.failing(name, failure) }
            let long = failing("long", .busy(detail: "long", retryAfter: .seconds(50)))
            let refused = failing("refused", .refused(detail: "refused"))
            let down = failing("down", .unavailable(detail: "down"))
            let full = failing("full", .noRoom(detail: "full", retryAfter: .seconds(1)))
            let later = AIFailure.overloaded(detail: "long", retryAfter: .seconds(50))
            #expect(await bench.solve(bench.chain(long, refused)) == .failure(later))
            bench.clock.advance(by: .seconds(60))
            #expect(await bench.solve(bench.chain(down, long)) == .failure(.failed(detail: "down")))
            for chain in [bench.chain(full, down), bench.chain(down, full)] {
                #expect(await bench.solve(chain) == .failure(.noRoom(detail: "full", retryAfter: .seconds(1))))
            }
        }
    }

    @Test("a provider that takes a request only without a part of it is asked again at once, and each call counts")
    func adapted() async throws {
        try await onLoop { loop in
            let bench = ProviderBench(loop)
            var refusals = 2
            let picky = bench.client("picky") { sink throws(ProviderFailure) in
                refusals -= 1
                if refusals >= 0 { throw .adapted(detail: "no", options: SolveOptions()) }
                sink.receive(.token, "x")
            }
            #expect(await bench.solve(bench.chain(picky)) == .success("picky"))
            #expect(bench.calls.count == 3 && bench.clock.sleeps.allSatisfy { $0 >= .seconds(2) })
            #expect(bench.metric(#"lemma_provider_adaptations_total{provider="picky"}"#) == "2")
            #expect(bench.metric(#"lemma_provider_retries_total{provider="picky"}"#) == "2")
            refusals = .max
            #expect(await bench.solve(bench.chain(picky, bench.good())) == .success("good"))
        }
    }

    @Test("beyond its calls at once a provider is passed over for the next; the last one has a short line, in order")
    func slots() async throws {
        try await onLoop { loop in
            let bench = ProviderBench(loop)
            bench.gate("slow", callsMax: 16)
            let slow = bench.silent("slow", after: ["x"])
            let alone = bench.chain(slow)
            var ended: [String] = []
            func start(_ name: String) -> Task<Void, Never> {
                loop.spawn {
                    let result = await bench.solve(alone)
                    ended.append("\(name) \(result)")
                }
            }
            let running = (0..<16).map { _ in start("running") }
            try await eventually("all slots are taken", on: loop) { bench.calls.count == 16 }
            #expect(await bench.solve(bench.chain(slow, bench.good())) == .success("good"))
            // Two may wait, an eighth of the slots.
            let first = start("first")
            let second = start("second")
            try await turn(loop)
            guard case .failure(.noRoom(let detail, .seconds(5))) = await bench.solve(alone) else {
                Issue.record("a third one waits")
                return
            }
            #expect(detail.contains("as many calls as it may"))
            running[0].cancel()
            try await eventually("the first in line is called", on: loop) { bench.calls.count == 18 }
            second.cancel()
            await second.value
            #expect(ended.last == "second \(Result<String, AIFailure>.failure(.cancelled))")
            for task in running + [first] { task.cancel() }
            for task in running + [first] { await task.value }
            let later = (0..<16).map { _ in start("later") }
            try await eventually("every slot has come back", on: loop) { bench.calls.count == 34 }
            for task in later { task.cancel() }
        }
    }

    @Test("a call waits for a slot no longer than for a first token")
    func patience() async throws {
        try await onLoop { loop in
            let bench = ProviderBench(loop)
            bench.gate("slow", callsMax: 8)
            bench.limits = CallLimits(firstToken: .seconds(3), idle: .seconds(1000), total: .seconds(1000))
            let alone = bench.chain(bench.silent("slow", after: ["x"]))
            let running = (0..<8).map { _ in loop.spawn { _ = await bench.solve(alone) } }
            try await eventually("the slots are taken", on: loop) { bench.calls.count == 8 }
            var result: Result<String, AIFailure>?
            loop.spawn { result = await bench.solve(alone) }
            let taken = try await bench.pass { result != nil }
            #expect(taken >= .seconds(3) && taken < .seconds(4))
            guard case .failure(.noRoom) = result else {
                Issue.record("\(String(describing: result))")
                return
            }
            for task in running { task.cancel() }
            for task in running { await task.value }
            #expect(await bench.solve(bench.chain(bench.good("slow"))) == .success("slow"))
        }
    }
}

@Suite("Hedging", .tags(.unit))
struct HedgingTests {
    /// Gives its name after `delay`.
    private static func late(_ bench: ProviderBench, _ name: String, after delay: Duration) -> ClosureClient {
        bench.client(name) { [clock = bench.clock] sink throws(ProviderFailure) in
            do { try await clock.sleep(for: delay) } catch { throw .cancelled }
            sink.receive(.token, name)
        }
    }

    @Test("a provider that hangs costs the limit and the next one's own time; its call is cut, its text goes nowhere")
    func hanging() async throws {
        try await onLoop { loop in
            let bench = ProviderBench(loop)
            bench.hedgeAfter = .seconds(1)
            var isCut = false
            let second = bench.client("second") { [clock = bench.clock] sink throws(ProviderFailure) in
                do {
                    try await clock.sleep(for: .milliseconds(500))
                    sink.receive(.token, "second")
                    try await clock.sleep(for: .seconds(1))
                } catch {
                    throw .cancelled
                }
            }
            let chain = bench.chain(bench.silent("silent") { isCut = true }, second, bench.good("third"))
            var result: Result<String, AIFailure>?
            loop.spawn { result = await bench.solve(chain) }
            let taken = try await bench.pass { !bench.sink.texts.isEmpty }
            #expect(taken >= .milliseconds(1500) && taken <= .milliseconds(1700))
            try await eventually("the loser is cut while the winner goes on", on: loop) { isCut }
            #expect(result == nil)
            _ = try await bench.pass { result != nil }
            #expect(result == .success("second"))
            #expect(bench.calls == ["silent", "second"], "the third was not needed")
            #expect(bench.sink.texts == ["second"])
            #expect(bench.sink.account == nil, "the account of the one that lost is not told")
            #expect(bench.counted("silent", "outrun") == "1")
            #expect(bench.tokens("silent", "input") == "1.0")
            #expect(bench.metric(#"lemma_provider_hedges_total{provider="second"}"#) == "1")
        }
    }

    @Test("the first one may still win, and then only its text is seen")
    func firstWins() async throws {
        try await onLoop { loop in
            let bench = ProviderBench(loop)
            bench.hedgeAfter = .seconds(1)
            let chain = bench.chain(
                Self.late(bench, "first", after: .milliseconds(1400)),
                Self.late(bench, "second", after: .seconds(2)),
            )
            var result: Result<String, AIFailure>?
            loop.spawn { result = await bench.solve(chain) }
            let taken = try await bench.pass { result != nil }
            #expect(result == .success("first") && bench.sink.texts == ["first"])
            #expect(taken <= .milliseconds(1600))
            #expect(bench.calls == ["first", "second"])
        }
    }

    @Test("a provider in time is not hedged; one that fails is replaced without waiting")
    func notNeeded() async throws {
        try await onLoop { loop in
            let bench = ProviderBench(loop)
            bench.hedgeAfter = .seconds(1)
            #expect(await bench.solve(bench.chain(bench.good("quick"), bench.good("other"))) == .success("quick"))
            #expect(await bench.solve(bench.chain(bench.failing("bad"), bench.good("other"))) == .success("other"))
            #expect(bench.calls == ["quick", "bad", "other"])
            #expect(bench.clock.sleeperCount == 0, "no timer is left behind")
        }
    }

    @Test("cancelling ends both calls at once")
    func cancelled() async throws {
        try await onLoop { loop in
            let bench = ProviderBench(loop)
            bench.hedgeAfter = .seconds(1)
            var cut = 0
            let chain = bench.chain(bench.silent("a") { cut += 1 }, bench.silent("b") { cut += 1 })
            var result: Result<String, AIFailure>?
            let task = loop.spawn { result = await bench.solve(chain) }
            _ = try await bench.pass { bench.calls.count == 2 }
            task.cancel()
            await task.value
            #expect(cut == 2 && result == .failure(.cancelled))
        }
    }
}

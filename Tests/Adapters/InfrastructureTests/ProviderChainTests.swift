import Application
import Domain
import EventLoop
import TestSupport
import Testing

@testable import Infrastructure

@Suite("The chain of providers", .tags(.unit))
struct ProviderChainTests {
    @Test("the next provider is asked only while nothing has reached the client")
    func fallback() async throws {
        try await onLoop { loop in
            let bench = ProviderBench(loop)
            #expect(await bench.solve(bench.chain(bench.failing("bad"), bench.good())) == .success("good"))
            let late = bench.chain(bench.failing("bad", after: ["a"]), bench.good())
            #expect(await bench.solve(late) == .failure(.failed(detail: "broke off")))
            let both = bench.chain(bench.failing("bad", .timedOut(detail: "1")), bench.failing("b"))
            #expect(await bench.solve(both) == .failure(.failed(detail: "broke off")), "the last one's failure is told")
            #expect(bench.calls == ["bad", "good", "bad", "bad", "b"])
        }
    }

    @Test("a rejected problem goes no further, a refused account does")
    func final() async throws {
        try await onLoop { loop in
            let bench = ProviderBench(loop)
            bench.retriesMax = 5
            let rejecting = bench.chain(bench.failing("bad", .rejected(detail: "no")), bench.good())
            #expect(await bench.solve(rejecting) == .failure(.rejected(detail: "no")))
            let refusing = bench.chain(bench.failing("bad", .refused(detail: "who?")), bench.good())
            #expect(await bench.solve(refusing) == .success("good"))
            #expect(bench.calls == ["bad", "bad", "good"], "neither is asked again")
        }
    }

    @Test("a provider that was asked for is asked alone")
    func requested() async throws {
        try await onLoop { loop in
            let bench = ProviderBench(loop)
            let chain = bench.chain(bench.good(), bench.failing("bad"))
            #expect(chain.providerNames == ["good", "bad"])
            #expect(chain.firstChoice(requested: nil).name == "good")
            #expect(chain.firstChoice(requested: "bad").name == "bad")
            #expect(await bench.solve(chain, requested: "bad") == .failure(.failed(detail: "broke off")))
            #expect(await bench.solve(chain, requested: "gone since") == .success("good"))
        }
    }

    @Test("each limit of time cuts the call", arguments: [0, 1, 4])
    func limits(tokens: Int) async throws {
        try await onLoop { loop in
            let bench = ProviderBench(loop)
            let clock = bench.clock
            let silent = bench.client("silent") { sink throws(ProviderFailure) in
                do {
                    // With four tokens, 1.9 s apart, only the total limit is left to be broken.
                    for _ in 0..<tokens {
                        sink.receive(.token, "x")
                        try await clock.sleep(for: .milliseconds(1900))
                    }
                    while tokens == 4 {
                        sink.receive(.token, "y")
                        try await clock.sleep(for: .seconds(1))
                    }
                    try await OneShot<Void>(loop: loop).value()
                } catch {
                    throw .cancelled
                }
            }
            var result: Result<String, AIFailure>?
            loop.spawn { result = await bench.solve(bench.chain(silent)) }
            let taken = try await bench.pass { result != nil }
            let expected = Duration.seconds([0: 3, 1: 2, 4: 10][tokens] ?? 0)
            let phrase = [0: "no first token", 1: "no further token", 4: "no complete answer"][tokens] ?? ""
            guard case .failure(.timedOut(let detail)) = result else {
                Issue.record("\(String(describing: result))")
                return
            }
            #expect(detail.contains(phrase) && detail.contains("silent"))
            #expect(taken >= expected && taken <= expected + .milliseconds(300))
        }
    }

    @Test("time that the store takes is not the provider's")
    func backPressure() async throws {
        try await onLoop { loop in
            let bench = ProviderBench(loop)
            let gate = OneShot<Void>(loop: loop)
            bench.sink.gate = gate
            let fast = bench.client("fast") { sink throws(ProviderFailure) in
                sink.receive(.token, "x")
                do { try await sink.waitForRoom() } catch { throw .cancelled }
            }
            var result: Result<String, AIFailure>?
            let task = loop.spawn { result = await bench.solve(bench.chain(fast)) }
            for _ in 0..<50 {
                bench.clock.advance(by: .milliseconds(100))
                try await turn(loop, times: 1)
            }
            #expect(result == nil, "five seconds without room are more than the idle limit")
            gate.succeed(())
            await task.value
            #expect(result == .success("fast"))
        }
    }

    @Test("cancelling the caller cancels the provider at once, and no other is asked")
    func cancelled() async throws {
        try await onLoop { loop in
            let bench = ProviderBench(loop)
            var wasCancelled = false
            let chain = bench.chain(bench.silent("silent", after: ["ab", "c"]) { wasCancelled = true }, bench.good())
            var result: Result<String, AIFailure>?
            let task = loop.spawn { result = await bench.solve(chain) }
            try await eventually("text", on: loop) { bench.sink.texts.count == 2 }
            task.cancel()
            await task.value
            #expect(wasCancelled && result == .failure(.cancelled))
            #expect(bench.calls == ["silent"])
            let account = try #require(bench.sink.account)
            #expect(account.provider.name == "silent")
            #expect(account.usage == TokenUsage(inputTokens: 1, outputTokens: 2, isEstimated: true))
        }
    }

    @Test("usage is what the provider reports, else a marked estimate; a refused call used nothing")
    func usage() async throws {
        try await onLoop { loop in
            let bench = ProviderBench(loop)
            let told = TokenUsage(inputTokens: 7, outputTokens: 5, reasoningTokens: 2, isEstimated: false)
            let telling = bench.client("telling") { sink throws(ProviderFailure) in
                sink.receive(.token, "x")
                sink.take(ProviderAccount(provider: ProviderIdentity(name: "telling", model: "m"), usage: told))
            }
            let quiet = bench.client("quiet") { sink throws(ProviderFailure) in
                sink.receive(.reasoning, String(repeating: "r", count: 41))
                sink.receive(.token, String(repeating: "t", count: 80))
            }
            for (client, usage) in [
                (telling, told),
                (quiet, TokenUsage(inputTokens: 1, outputTokens: 31, reasoningTokens: 11, isEstimated: true)),
            ] {
                let chain = bench.chain(client)
                let solution = try await chain.solve(providerRequest("x"), requested: nil, into: bench.sink)
                #expect(solution.account.usage == usage)
            }
            _ = await bench.solve(bench.chain(bench.failing("down")))
            #expect(bench.sink.account?.usage == TokenUsage.none)
            #expect(bench.tokens("quiet", "output") == "31.0")
            #expect(bench.metric(#"lemma_provider_reasoning_tokens_total{provider="telling"}"#) == "2")
            #expect(bench.counted("down", "failed") == "1")
        }
    }

    @Test("the first piece of text and each further one are timed, and the call as a whole")
    func times() async throws {
        try await onLoop { loop in
            let bench = ProviderBench(loop)
            let slow = bench.client("slow") { sink throws(ProviderFailure) in
                for pause in [300, 200, 400] {
                    do { try await bench.clock.sleep(for: .milliseconds(pause)) } catch { throw .cancelled }
                    sink.receive(.token, "x")
                }
            }
            var result: Result<String, AIFailure>?
            loop.spawn { result = await bench.solve(bench.chain(slow)) }
            _ = try await bench.pass { result != nil }
            #expect(result == .success("slow"))
            #expect(bench.time("time_to_first_chunk", "count", of: "slow") == "1")
            #expect(bench.time("time_per_output_chunk", "count", of: "slow") == "2")
            for (name, seconds) in [("time_to_first_chunk", 0.3), ("time_per_output_chunk", 0.6)] {
                let sum = try #require(bench.time(name, "sum", of: "slow").flatMap { Double($0) })
                #expect(abs(sum - seconds) < 1e-9, "\(name)")
            }
            #expect(bench.counted("slow", "") == "1")
            #expect(bench.metric(#"lemma_provider_calls_limit{provider="slow"}"#) == "100.0")
        }
    }
}

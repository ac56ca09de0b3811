import Application
import Domain
import EventLoop
import Shared
import TestSupport
import Testing

@Suite("Running a request", .tags(.unit))
struct RunMathRequestTests {
    @Test("a claimed job is solved, its text written, and the end written after the last event")
    func completed() async throws {
        try await onLoop { loop in
            let bench = RunMathRequestBench(loop: loop)
            #expect(await bench.run() == .finished(.completed))
            #expect(bench.answers.writers.map(\.texts) == [["x = ", "2"]])
            #expect(bench.ends == ["completed at 1-3"])
            let end = try #require(bench.consumer.finished.first?.attempt)
            #expect(end.account.provider == SolverFake.answering, "the one that answered, not the one planned")
            #expect(end.account.usage == TokenUsage(inputTokens: 3, outputTokens: 2, isEstimated: false))
            #expect(end.firstTokenMilliseconds == 20)
            #expect(end.durationMilliseconds == 40)
            let event = try #require(bench.finished.first)
            #expect(event.outcome.status == .completed && event.queueMilliseconds == 5 && event.attempt == 1)
            #expect(event.totalMilliseconds == 140 && !event.isDeadLetter)
            #expect(bench.causes == [.first] && bench.results == [.completed])
            #expect(bench.consumer.plans.map(\.provider) == ["fake"])
        }
    }

    @Test("U+0000 in a provider's text is U+FFFD from the first reader on")
    func zero() async throws {
        try await onLoop { loop in
            let bench = RunMathRequestBench(loop: loop)
            bench.solver.steps = [.answer(["a\u{0}", "\u{0}b"])]
            #expect(await bench.run() == .finished(.completed))
            #expect(bench.answers.writers.map(\.texts) == [["a\u{FFFD}", "\u{FFFD}b"]])
            #expect(bench.consumer.finished.first?.attempt.answer == "a\u{FFFD}\u{FFFD}b")
        }
    }

    @Test("a settled job is not run")
    func settled() async throws {
        try await onLoop { loop in
            let bench = RunMathRequestBench(loop: loop)
            bench.consumer.claims = [.success(.settled)]
            #expect(await bench.run() == .settled)
            #expect(bench.solver.requests.isEmpty && bench.ends.isEmpty && bench.bus.events.isEmpty)
        }
    }

    @Test("a job without attempts left ends as failed at the next marker's place")
    func exhausted() async throws {
        try await onLoop { loop in
            let bench = RunMathRequestBench(loop: loop)
            bench.consumer.claims = [.success(.exhausted(bench.claim(4)))]
            #expect(await bench.run() == .finished(.failed))
            #expect(bench.ends == ["failed at 4-0"])
            guard case .failed(let failure) = bench.consumer.finished[0].attempt.outcome else { return }
            #expect(failure.kind == .attemptsExhausted)
            #expect(bench.solver.requests.isEmpty)
        }
    }

    @Test("a job cancelled before its claim ends as cancelled after its last event")
    func cancelledWhileQueued() async throws {
        try await onLoop { loop in
            let bench = RunMathRequestBench(loop: loop)
            bench.consumer.claims = [.success(.cancelled(bench.claim(1), .disconnected))]
            #expect(await bench.run() == .finished(.cancelled))
            #expect(bench.ends == ["cancelled at after last"])
            #expect(bench.solver.requests.isEmpty)
        }
    }

    @Test("a cancellation cuts the provider, keeps the text so far and counts its tokens")
    func cancelledWhileRunning() async throws {
        try await onLoop { loop in
            let bench = RunMathRequestBench(loop: loop)
            bench.solver.steps = [.hang(["x", " ="]) { bench.control.abort(.cancelled(.requested)) }]
            #expect(await bench.run() == .finished(.cancelled))
            #expect(bench.ends == ["cancelled at 1-3"])
            let end = bench.consumer.finished[0].attempt
            #expect(end.account.usage == TokenUsage(inputTokens: 0, outputTokens: 2, isEstimated: true))
            #expect(end.firstTokenMilliseconds == 20)
        }
    }

    @Test("a cancellation before the first token leaves no first-token time")
    func cancelledBeforeFirstToken() async throws {
        try await onLoop { loop in
            let bench = RunMathRequestBench(loop: loop)
            bench.solver.steps = [.hang([]) { bench.control.abort(.cancelled(.requested)) }]
            #expect(await bench.run() == .finished(.cancelled))
            #expect(bench.ends == ["cancelled at 1-1"])
            #expect(bench.consumer.finished[0].attempt.firstTokenMilliseconds == nil)
        }
    }

    @Test("a cancellation before the provider is called counts, too")
    func abortedEarly() async throws {
        try await onLoop { loop in
            let bench = RunMathRequestBench(loop: loop)
            bench.solver.steps = [.hang([]) {}]
            bench.consumer.onClaim = { _ in bench.control.abort(.cancelled(.interrupted)) }
            #expect(await bench.run() == .finished(.cancelled))
        }
    }

    @Test(
        "an attempt that is not this worker's any more writes nothing further",
        arguments: [
            (.leaseLost, .leaseLost), (.writeFailed(.fenced), .fenced), (.writeFailed(.gone), .expired),
        ] as [(AbortReason, AttemptResult)],
    )
    func lost(reason: AbortReason, result: AttemptResult) async throws {
        try await onLoop { loop in
            let bench = RunMathRequestBench(loop: loop)
            bench.solver.steps = [
                .hang(["x"]) {
                    if case .writeFailed(let failure) = reason {
                        bench.answers.writers[0].fail(failure)
                    } else {
                        bench.control.abort(reason)
                    }
                }
            ]
            #expect(await bench.run() == .lost)
            #expect(bench.ends.isEmpty && bench.consumer.handedBack == 0 && bench.finished.isEmpty)
            #expect(bench.results == [result])
        }
    }

    @Test("only the first reason counts")
    func firstReason() async throws {
        try await onLoop { loop in
            let bench = RunMathRequestBench(loop: loop)
            bench.solver.steps = [
                .hang([]) {
                    bench.control.abort(.leaseLost)
                    bench.control.abort(.cancelled(.requested))
                }
            ]
            #expect(await bench.run() == .lost)
        }
    }

    @Test("lost history begins a new attempt with that reason")
    func historyLost() async throws {
        try await onLoop { loop in
            let bench = RunMathRequestBench(loop: loop)
            bench.consumer.claims = bench.claimed(1, 2)
            bench.solver.steps = [.hang(["x"]) { bench.answers.writers[0].fail(.historyLost) }, .answer(["y"])]
            #expect(await bench.run() == .finished(.completed))
            #expect(bench.consumer.plans.map(\.restartReason) == [.workerLost, .historyLost])
            #expect(bench.answers.writers.map(\.texts) == [["x"], ["y"]])
            #expect(bench.ends == ["completed at 2-2"])
            #expect(bench.results == [.historyLost, .completed] && bench.finished.count == 1)
        }
    }

    @Test("history that is found lost at the end begins a new attempt too", arguments: [true, false])
    func historyLostAtTheEnd(byFlush: Bool) async throws {
        try await onLoop { loop in
            let bench = RunMathRequestBench(loop: loop)
            bench.consumer.claims = bench.claimed(1, 2)
            if byFlush {
                bench.answers.onWriter = { if $0.claim.attempt == 1 { $0.flushFailure = .historyLost } }
            } else {
                bench.consumer.finishes = [.success(.historyLost), .success(.finished)]
            }
            #expect(await bench.run() == .finished(.completed))
            #expect(bench.consumer.plans.map(\.restartReason) == [.workerLost, .historyLost])
            #expect(bench.ends.last == "completed at 2-3")
        }
    }

    @Test("a worker whose end comes second has lost the request")
    func superseded() async throws {
        try await onLoop { loop in
            let bench = RunMathRequestBench(loop: loop)
            bench.consumer.finishes = [.success(.superseded)]
            #expect(await bench.run() == .lost)
            #expect(bench.finished.isEmpty && bench.results == [.superseded])
        }
    }

    @Test("a draining worker stores what it has and releases the job")
    func handedOver() async throws {
        try await onLoop { loop in
            let bench = RunMathRequestBench(loop: loop)
            bench.solver.steps = [.hang(["x"]) { bench.control.abort(.draining) }]
            bench.consumer.handBacks = [.failure(.unavailable), .success(())]
            #expect(await bench.run() == .released)
            #expect(bench.consumer.handedBack == 2, "tried again while the store was away")
            #expect(bench.ends.isEmpty)
        }
    }

    @Test("the provider is given the conversation's earlier turns")
    func context() async throws {
        try await onLoop { loop in
            let bench = RunMathRequestBench(loop: loop)
            bench.consumer.claims = [.success(.claimed(bench.claim(1, opensConversation: false)))]
            bench.memory.recalled = KnownTurns(turns: (1...4).map { turn($0) }, isWhole: true)
            #expect(await bench.run() == .finished(.completed))
            let asked = try #require(bench.solver.requests.first)
            let context = asked.0.context
            #expect(context.turns == (2...4).map { turn($0) } && context.omitsEarlierTurns)
        }
    }

    @Test("a problem whose earlier turns cannot be read fails with that reason, instead of being solved without them")
    func noMemory() async throws {
        try await onLoop { loop in
            let bench = RunMathRequestBench(loop: loop)
            bench.consumer.claims = [.success(.claimed(bench.claim(1, opensConversation: false)))]
            bench.memory.recalled = KnownTurns(turns: [], isWhole: false)
            bench.archive.failures = .max
            #expect(await bench.run() == .finished(.failed))
            #expect(bench.solver.requests.isEmpty)
            #expect(bench.ends == ["failed at 1-1"])
            let end = try #require(bench.consumer.finished.first).attempt
            guard case .failed(let failure) = end.outcome else { return }
            #expect(failure.kind == .storeUnavailable)
            #expect(bench.consumer.finished.first?.letter == .some(nil))
        }
    }

    @Test("an abort cuts the wait for the earlier turns")
    func abortedMemory() async throws {
        try await onLoop { loop in
            let bench = RunMathRequestBench(loop: loop)
            bench.consumer.claims = [.success(.claimed(bench.claim(1, opensConversation: false)))]
            bench.memory.failures = .max
            let abort = loop.schedule(after: .milliseconds(10)) { bench.control.abort(.cancelled(.requested)) }
            defer { abort.close() }
            #expect(await bench.run() == .finished(.cancelled))
            #expect(bench.solver.requests.isEmpty)
        }
    }

    @Test("an attempt ends with its text, whole or partial; the text of another attempt is left to the store")
    func answers() async throws {
        try await onLoop { loop in
            let whole = RunMathRequestBench(loop: loop)
            _ = await whole.run()
            #expect(whole.consumer.finished.map(\.attempt.answer) == ["x = 2"])

            let cut = RunMathRequestBench(loop: loop)
            cut.solver.steps = [.hang(["x = "], { cut.control.abort(.cancelled(.requested)) })]
            _ = await cut.run()
            #expect(cut.consumer.finished.map(\.attempt.answer) == ["x = "])

            let failed = RunMathRequestBench(loop: loop)
            failed.solver.steps = [.fail(["x "], .failed(detail: "broken"))]
            failed.consumer.postponements = [.success(.exhausted)]
            _ = await failed.run()
            #expect(failed.consumer.postponed.map(\.answer) == ["x "])
            #expect(failed.consumer.finished.map(\.attempt.answer) == [nil])

            let lost = RunMathRequestBench(loop: loop)
            lost.consumer.claims = [.success(.exhausted(lost.claim(3)))]
            _ = await lost.run()
            #expect(lost.consumer.finished.map(\.attempt.answer) == [nil])
        }
    }
}

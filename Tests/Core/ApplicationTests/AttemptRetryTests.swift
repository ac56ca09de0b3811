import Application
import Domain
import Shared
import TestSupport
import Testing

@Suite("Running a request again after a failure", .tags(.unit))
struct AttemptRetryTests {
    @Test("a failed provider postpones the request, longer after each attempt")
    func postponed() async throws {
        try await onLoop { loop in
            for (attempt, pause) in [(1, 100), (2, 200), (3, 400)] as [(UInt64, Int)] {
                let bench = RunMathRequestBench(loop: loop)
                bench.consumer.claims = bench.claimed(attempt)
                bench.solver.steps = [.fail(["x"], .failed(detail: "broke off"))]
                #expect(await bench.run() == .retryScheduled)
                #expect(bench.consumer.postponed.map(\.pause) == [.milliseconds(pause)], "half of a limit that doubles")
                #expect(bench.consumer.postponed.map(\.attempt) == [attempt])
                #expect(bench.ends.isEmpty)
            }
        }
    }

    @Test("a provider that names a pause is not called before it is over")
    func overloaded() async throws {
        try await onLoop { loop in
            let bench = RunMathRequestBench(loop: loop)
            bench.solver.steps = [.fail([], .overloaded(detail: "busy", retryAfter: .seconds(7)))]
            #expect(await bench.run() == .retryScheduled)
            #expect(bench.consumer.postponed.map(\.pause) == [.milliseconds(7100)])
            #expect(bench.consumer.postponed.map(\.reason) == [.providerFailed])
            bench.solver.steps = [.fail([], .noRoom(detail: "full", retryAfter: .seconds(5)))]
            #expect(await bench.run() == .retryScheduled)
            #expect(bench.consumer.postponed.map(\.reason).last == .handedOver, "no failure: it does not count")
        }
    }

    @Test("the last failure is what the client gets when the attempts are used up, and it is a dead letter")
    func postponedInVain() async throws {
        try await onLoop { loop in
            let bench = RunMathRequestBench(loop: loop)
            bench.consumer.claims = bench.claimed(2)
            bench.consumer.postponements = [.success(.exhausted)]
            bench.solver.steps = [.fail([], .timedOut(detail: "silent"))]
            #expect(await bench.run() == .finished(.failed))
            #expect(bench.ends == ["failed at 3-0"])
            #expect(bench.consumer.finished[0].letter == .attemptsExhausted)
            guard case .failed(let failure) = bench.consumer.finished[0].attempt.outcome else { return }
            #expect(failure == RequestFailure(kind: .providerTimedOut, detail: "silent"))
        }
    }

    @Test("a cancellation that arrives with the failure ends the request as cancelled")
    func cancelledWhilePostponing() async throws {
        try await onLoop { loop in
            let bench = RunMathRequestBench(loop: loop)
            bench.consumer.claims = bench.claimed(1) + [.success(.cancelled(bench.claim(1), .requested))]
            bench.consumer.postponements = [.failure(.unavailable), .success(.cancelled)]
            bench.solver.steps = [.fail([], .failed(detail: "broke off"))]
            #expect(await bench.run() == .finished(.cancelled))
            #expect(bench.consumer.postponed.count == 2, "tried again while the store was away")
            #expect(bench.consumer.finished.map(\.letter) == [nil])
        }
    }

    @Test("a request that another worker has by now is not postponed")
    func supersededWhilePostponing() async throws {
        try await onLoop { loop in
            let bench = RunMathRequestBench(loop: loop)
            bench.consumer.postponements = [.success(.superseded)]
            bench.solver.steps = [.fail([], .failed(detail: "broke off"))]
            #expect(await bench.run() == .lost)
        }
    }

    @Test("a rejected problem fails at once")
    func rejected() async throws {
        try await onLoop { loop in
            let bench = RunMathRequestBench(loop: loop)
            bench.solver.steps = [.fail(["x"], .rejected(detail: "no"))]
            #expect(await bench.run() == .finished(.failed))
            #expect(bench.ends == ["failed at 1-2"])
            #expect(bench.consumer.plans.count == 1)
        }
    }

    @Test("claim and finish are repeated with growing pauses while the store is away")
    func storeAway() async throws {
        try await onLoop { loop in
            let bench = RunMathRequestBench(loop: loop)
            bench.consumer.claims = [.failure(.unavailable), .failure(.unavailable)] + bench.claimed(1)
            bench.consumer.finishes = Array(repeating: .failure(.unavailable), count: 7) + [.success(.finished)]
            #expect(await bench.run() == .finished(.completed))
            let expected = [25, 50, 25, 50, 100, 200, 400, 500, 500].map { Duration.milliseconds($0) }
            #expect(bench.clock.sleeps == expected, "doubling up to a second, half of it by the random number")
            #expect(bench.consumer.finished.count == 8)
        }
    }

    @Test("a worker that is being stopped ends its attempt")
    func stopped() async throws {
        try await onLoop { loop in
            let claiming = RunMathRequestBench(loop: loop)
            claiming.consumer.claims = [.failure(.cancelled)]
            #expect(await claiming.run() == .lost)
            let finishing = RunMathRequestBench(loop: loop)
            finishing.consumer.finishes = [.failure(.cancelled)]
            #expect(await finishing.run() == .lost)
        }
    }
}

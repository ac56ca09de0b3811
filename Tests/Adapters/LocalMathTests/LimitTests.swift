import EventLoop
import Glibc
import LocalMath
import TestSupport
import Testing

@Suite("Limits of the local solver", .tags(.integration), .serialized)
struct LimitTests {
    @Test(
        "What is too large to compute or to show is told at once",
        arguments: [
            "9^9^9^9", "1000000!", "10^100000", "((9^99)^99)^99", "5!!!", "(x+1)^1000000", "1e999", "2^(10!)",
            "sum(sum(k*n, k, 1, 10000), n, 1, 10000)", "sum(k, k, 1, 1000000)",
        ]
    )
    func large(problem: String) async throws {
        #expect(try await answer(problem).contains("too large"))
    }

    @Test("Text beyond the limits is refused, deep nesting does not exhaust the stack")
    func long() async throws {
        let tooLong = String(repeating: "1+", count: 5_000) + "1"
        #expect(try await answer(tooLong).contains("too long"))
        for open in ["(", "|", "sqrt(", "-(", "{", "sin ", "2^", "\\frac{1}{", "1/-", "\\sqrt{"] {
            let text = try await answer(String(repeating: open, count: 190) + "1")
            #expect(result(text) == nil && text.hasPrefix("Sorry"), "\(open)")
        }
    }

    @Test("A problem that takes too long ends in a plain sentence and leaves no process")
    func slow() async throws {
        let limits = LocalSolver.Limits(time: .milliseconds(900), memoryBytesMax: 501 << 20)
        let text = try await answer("factor (2^127-1)*(2^89-1)*(2^107-1)*(2^61-1)", limits: limits)
        #expect(text.contains("more time or memory"), "\(text)")
        #expect(calculators(memoryBytesMax: 501 << 20).isEmpty)
    }

    @Test("A calculator without memory ends in a plain sentence")
    func memory() async throws {
        let text = try await answer("1 + 1", limits: LocalSolver.Limits(memoryBytesMax: 16 << 20))
        #expect(result(text) == nil)
    }

    @Test("Cancelling ends the calculator at once")
    func cancellation() async throws {
        try await onLoop { loop in
            let solver = LocalSolver(on: loop, limits: LocalSolver.Limits(memoryBytesMax: 502 << 20))
            let ended = OneShot<Bool>(loop: loop)
            let task = loop.spawn {
                do throws(LocalSolverFailure) {
                    try await solver.solve("factor (2^127-1)*(2^89-1)*(2^107-1)*(2^61-1)") { _ in }
                    ended.succeed(false)
                } catch {
                    ended.succeed(error == .cancelled)
                }
            }
            var running: [Int32] = []
            try await eventually("a calculator runs", on: loop) {
                running = calculators(memoryBytesMax: 502 << 20)
                return !running.isEmpty
            }
            task.cancel()
            #expect(try await ended.value())
            for pid in running { #expect(kill(pid, 0) == -1 && errno == ESRCH) }
        }
    }

    @Test("A problem that cannot be begun in time is busy, with nothing written; waiting takes none of its time")
    func busy() async throws {
        try await onLoop { loop in
            let limits = LocalSolver.Limits(
                time: .seconds(3),
                waiting: .milliseconds(300),
                memoryBytesMax: 504 << 20,
                processesMax: 1,
            )
            let solver = LocalSolver(on: loop, limits: limits)
            let hard = loop.spawn {
                try? await solver.solve("factor (2^127-1)*(2^89-1)*(2^107-1)*(2^61-1)") { _ in }
            }
            try await eventually("a calculator runs", on: loop) { !calculators(memoryBytesMax: 504 << 20).isEmpty }
            let page = Pieces()
            await #expect(throws: LocalSolverFailure.busy) { try await solver.solve("1 + 1") { page.all.append($0) } }
            #expect(page.all.isEmpty)
            // A problem without a form needs no place.
            try await solver.solve("what is love") { page.all.append($0) }
            #expect(!page.all.isEmpty)

            var patient = limits
            patient.waiting = .seconds(60)
            patient.time = .seconds(2)
            let second = LocalSolver(on: loop, limits: patient)
            var texts: [String] = []
            for problem in ["factor (2^127-1)*(2^89-1)*(2^107-1)*(2^61-1)", "x + 1 = 10"] {
                loop.spawn {
                    let page = Pieces()
                    try? await second.solve(problem) { page.all.append($0) }
                    texts.append(page.all.joined())
                }
            }
            try await eventually("both are over", on: loop) { texts.count == 2 }
            #expect(texts[0].contains("more time or memory"))
            #expect(result(texts[1]) == "\\(x = 9\\)")
            hard.cancel()
            await hard.value
        }
    }

    @Test("No more calculators run at once than allowed, and all problems are solved")
    func concurrency() async throws {
        try await onLoop { loop in
            let memory = 503 << 20
            let solver = LocalSolver(
                on: loop,
                limits: LocalSolver.Limits(waiting: .seconds(60), memoryBytesMax: memory, processesMax: 2)
            )
            var results: [String?] = []
            var most = 0
            let watch = loop.schedule(every: .milliseconds(2)) {
                most = max(most, calculators(memoryBytesMax: memory).count)
            }
            defer { watch.close() }
            for number in 0..<8 {
                loop.spawn {
                    let page = Pieces()
                    try? await solver.solve("x + \(number) = 10") { page.all.append($0) }
                    results.append(result(page.all.joined()))
                }
            }
            try await eventually("all are solved", on: loop) { results.count == 8 }
            #expect(Set(results) == Set((0..<8).map { "\\(x = \(10 - $0)\\)" }))
            #expect((1...2).contains(most))
        }
    }
}

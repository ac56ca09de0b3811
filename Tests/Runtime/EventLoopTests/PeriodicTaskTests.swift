import EventLoop
import TestSupport
import Testing

@Suite("Periodic tasks", .tags(.integration), .timeLimit(.minutes(1)))
struct PeriodicTaskTests {
    private final class Runs {
        var count = 0
        var running = 0
        var overlaps = 0
    }

    @Test("an operation runs at once where that is wanted, and again after each pause, never twice at a time")
    func repeats() async throws {
        try await onLoop { loop in
            let runs = Runs()
            let task = PeriodicTask(every: .milliseconds(1), on: loop, runsImmediately: true) {
                if runs.running > 0 { runs.overlaps += 1 }
                runs.running += 1
                try? await loop.sleep(for: .milliseconds(2))
                runs.running -= 1
                runs.count += 1
            }
            defer { task.cancel() }
            try await eventually("three runs", on: loop) { runs.count >= 3 }
            #expect(runs.overlaps == 0)
        }
    }

    @Test("without a first run the pause comes first; a cancelled task does not run")
    func cancelled() async throws {
        try await onLoop { loop in
            let runs = Runs()
            let task = PeriodicTask(every: .seconds(3600), on: loop) { runs.count += 1 }
            task.cancel()
            task.cancel()
            let other = PeriodicTask(every: .milliseconds(1), on: loop) { runs.running += 1 }
            defer { other.cancel() }
            try await eventually("another task runs", on: loop) { runs.running > 0 }
            #expect(runs.count == 0)
        }
    }

    @Test("cancelling during a run cancels the run")
    func cancelledRun() async throws {
        try await onLoop { loop in
            let runs = Runs()
            let task = PeriodicTask(every: .zero, on: loop, runsImmediately: true) {
                if (try? await loop.sleep(for: .seconds(3600))) == nil { runs.count += 1 }
            }
            task.cancel()
            try await eventually("the run ends", on: loop) { runs.count == 1 }
        }
    }
}

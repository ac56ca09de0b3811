internal import Application
internal import EventLoop
internal import Shared

/// The jobs that a worker runs on one loop.
///
/// Loop-owned.
final class RunningJobs {
    final class Job {
        let delivery: JobDelivery
        let control = AttemptControl()
        var task: Task<Void, Never>?

        init(_ delivery: JobDelivery) { self.delivery = delivery }
    }

    private let loop: Loop
    private var jobs: [CorrelationID: Job] = [:]
    private var removalWaiter: OneShot<Void>?
    private var emptyWaiters: [OneShot<Void>] = []

    init(loop: Loop) { self.loop = loop }

    var count: Int { jobs.count }
    var isEmpty: Bool { jobs.isEmpty }
    var all: [Job] { Array(jobs.values) }

    subscript(id: CorrelationID) -> Job? { jobs[id] }

    /// Nil where the request has a running job already.
    func add(_ delivery: JobDelivery) -> Job? {
        guard jobs[delivery.correlationID] == nil else { return nil }
        let job = Job(delivery)
        jobs[delivery.correlationID] = job
        return job
    }

    func remove(_ id: CorrelationID) {
        jobs[id] = nil
        endWaitForRemoval()
        guard jobs.isEmpty else { return }
        for waiter in emptyWaiters { waiter.succeed(()) }
        emptyWaiters = []
    }

    func abortAll(_ reason: AbortReason) {
        for job in jobs.values { job.control.abort(reason) }
    }

    /// Waits until a job is removed; one caller at a time.
    func waitForRemoval() async {
        let waiter = OneShot<Void>(loop: loop)
        removalWaiter = waiter
        try? await waiter.value()
    }

    func endWaitForRemoval() {
        removalWaiter?.succeed(())
        removalWaiter = nil
    }

    /// Waits until no job runs, at most `limit`.
    func waitUntilEmpty(atMost limit: Duration) async {
        guard !jobs.isEmpty else { return }
        let waiter = OneShot<Void>(loop: loop)
        emptyWaiters.append(waiter)
        await waiter.wait(atMost: limit, on: loop)
    }
}

extension OneShot<Void> {
    /// Waits for the signal, at most `limit`.
    func wait(atMost limit: Duration, on loop: Loop) async {
        let timer = loop.schedule(after: limit) { self.succeed(()) }
        try? await value()
        timer.close()
    }
}

/// Runs the jobs of a ``Loop`` actor on its thread.
final class LoopSerialExecutor: SerialExecutor {
    private let core: LoopCore

    init(core: LoopCore) { self.core = core }

    func enqueue(_ job: consuming ExecutorJob) {
        core.submit(.actorJob(UnownedJob(job)))
    }

    /// Lets `assumeIsolated` succeed in C callbacks, which run on the thread without a current job.
    func checkIsolated() {
        precondition(core.isCurrent, "code isolated to a loop runs on another thread")
    }

    func isIsolatingCurrentContext() -> Bool? { core.isCurrent }
}

/// The executor preference of a loop's tasks: it keeps their non-isolated parts on the loop's thread, too.
///
/// Separate from the serial executor, because one object in both roles costs three to five extra jobs per resumption
/// (measured, see docs/architecture.md).
package final class LoopTaskExecutor: TaskExecutor {
    private let core: LoopCore

    init(core: LoopCore) { self.core = core }

    package func enqueue(_ job: consuming ExecutorJob) {
        core.submit(.taskJob(UnownedJob(job)))
    }
}

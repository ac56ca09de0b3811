internal import CUV
internal import Synchronization

/// One libuv event loop on one thread, and the actor that isolates everything on that thread.
///
/// Swift concurrency runs *on* the loop: the actor's serial executor and a task executor preference both enqueue their
/// jobs here, so a task started with ``spawn(_:)`` never leaves the thread.
///
/// One turn of the loop:
/// ```
///  timers ─► prepare: jobs, flushes ─► poll (sockets, wake-ups) ─► check: jobs, flushes ─► closing handles
/// ```
/// Bytes written to a stream during a turn are sent in one system call when the turn flushes.
///
/// Methods marked *loop thread* trap in debug builds when they are called from another thread.
package actor Loop {
    /// Position in its group, from 0.
    package nonisolated let index: Int
    /// The executor preference of every task of this loop.
    package nonisolated let tasks: LoopTaskExecutor

    nonisolated let executor: LoopSerialExecutor
    nonisolated let core: LoopCore

    package nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

    /// Creates a loop that does not run yet; ``LoopGroup`` runs it on a thread.
    init(index: Int) {
        self.index = index
        core = LoopCore()
        executor = LoopSerialExecutor(core: core)
        tasks = LoopTaskExecutor(core: core)
        unsafe core.serialExecutor = unsafe executor.asUnownedSerialExecutor()
        unsafe core.taskExecutor = unsafe tasks.asUnownedTaskExecutor()
    }

    /// True on the thread that runs this loop.
    package nonisolated var isCurrent: Bool { core.isCurrent }

    /// Traps in debug builds when it is called from another thread.
    package nonisolated func assertCurrent() {
        assert(core.isCurrent, "an object of a loop is used on another thread")
    }

    /// Monotonic time at which this turn began, in milliseconds.
    ///
    /// *Loop thread.*
    package nonisolated var nowMilliseconds: Int64 { unsafe Int64(uv_now(core.uv)) }

    /// How long the loop has waited in its poll since it was created; the rest of the time it was busy.
    ///
    /// *Loop thread.*
    package nonisolated var idleTime: Duration { unsafe .nanoseconds(Int64(uv_metrics_idle_time(core.uv))) }

    /// Runs `work` on the loop's thread in a later turn.
    ///
    /// Safe from any thread; calls from one thread run in order. Returns false, and drops the work, when the loop has
    /// stopped.
    @discardableResult
    package nonisolated func execute(_ work: @escaping @Sendable () -> Void) -> Bool {
        core.submit(.work(work))
    }

    /// Runs `work` after the callbacks of this turn, before the turn's flush.
    ///
    /// *Loop thread.*
    package nonisolated func executeSoon(_ work: @escaping () -> Void) {
        assertCurrent()
        core.enqueueLocal(.local(work))
    }

    /// Schedules one ``Flushable/flush()`` at the end of this turn.
    ///
    /// *Loop thread.*
    nonisolated func flushAtEndOfTurn(_ stream: any Flushable) {
        assertCurrent()
        core.dirty.append(stream)
    }

    /// Enters Swift concurrency from C callbacks and synchronous code: starts `operation` as a task that stays on this
    /// loop's thread.
    ///
    /// The operation begins in this turn, before the flush. Swift's runtime decides whether it begins inside this call;
    /// 6.3 does not, because the change to the preferred executor is a job. *Loop thread.*
    ///
    /// Unstructured, because a callback has no parent task. The owner of the operation keeps the returned task and
    /// cancels it; the end of the loop cancels it, too.
    @discardableResult
    package nonisolated func spawn(
        _ operation: @escaping () async -> Void
    ) -> Task<Void, Never> {
        precondition(core.isCurrent, "spawn was called from another thread; use run(_:) there")
        // Safety: caller, closure and every resumption run on this loop's thread (checked above, and by
        // `checkIsolated` at each hop), so no captured value is accessed from two threads.
        nonisolated(unsafe) let operation = operation
        return assumeIsolated { loop in unsafe loop.start(operation) }
    }

    /// Runs `body` on this loop from any context and returns its result; cancelling the caller cancels `body`.
    ///
    /// The end of the loop cancels `body`, too; after it `run` throws `CancellationError`.
    package nonisolated func run<Result: Sendable>(
        _ body: @escaping @Sendable (isolated Loop) async throws -> Result
    ) async throws -> Result {
        guard core.enter() else { throw CancellationError() }
        let number = core.nextTaskNumber()
        let task = Task(executorPreference: tasks) { [core] in
            core.tasks.begin(number)
            defer { core.tasks.end(number) }
            return try await body(self)
        }
        // Runs after the task's first job, which is ahead of it in the same queue.
        core.submit(.work { [core] in core.tasks.setHandle(task, of: number) })
        core.didEnter()
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }

    private func start(_ operation: @escaping () async -> Void) -> Task<Void, Never> {
        let number = core.nextTaskNumber()
        core.tasks.begin(number)
        let task = Task.immediate(executorPreference: tasks) {
            self.assertIsolated()
            await operation()
            self.core.tasks.end(number)
        }
        core.tasks.setHandle(task, of: number)
        return task
    }
}

/// An object with bytes to write at the end of a loop turn.
protocol Flushable: AnyObject {
    func flush()
}

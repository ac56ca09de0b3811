internal import CUV
internal import Synchronization

/// One libuv event loop on one thread, and the actor that everything on that thread is isolated to.
///
/// Swift concurrency runs *on* the loop: the actor's serial executor and a task executor preference both enqueue jobs
/// here, so a task started with ``spawn(_:)`` never leaves the thread.
///
/// One turn of the loop:
/// ```
///  timers ─► prepare: jobs, flushes ─► poll (sockets, wake-ups) ─► check: jobs, flushes ─► closing handles
/// ```
/// What was written to a stream during a turn leaves in one system call when the turn flushes.
///
/// Methods marked *loop thread* trap in debug builds when called from another thread.
package actor Loop {
    /// Position in its group, from 0.
    package nonisolated let index: Int
    /// The preference given to every task that belongs to this loop.
    package nonisolated let tasks: LoopTaskExecutor

    nonisolated let executor: LoopSerialExecutor
    nonisolated let core: LoopCore

    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Makes a loop that does not run yet; ``LoopGroup`` gives it a thread.
    init(index: Int) {
        self.index = index
        core = LoopCore()
        executor = LoopSerialExecutor(core: core)
        tasks = LoopTaskExecutor(core: core)
        core.serialExecutor = executor.asUnownedSerialExecutor()
        core.taskExecutor = tasks.asUnownedTaskExecutor()
    }

    /// True on the thread that runs this loop.
    package nonisolated var isCurrent: Bool { core.isCurrent }

    /// Traps in debug builds when not on the loop's thread.
    package nonisolated func assertCurrent() {
        assert(core.isCurrent, "this object belongs to a loop and is touched from another thread")
    }

    /// Monotonic time at which this turn began to poll, in milliseconds.
    ///
    /// *Loop thread.*
    package nonisolated var nowMilliseconds: Int64 { Int64(uv_now(core.uv)) }

    /// How long the loop has waited for something to happen, since it began; the rest of the time it worked.
    ///
    /// *Loop thread.*
    package nonisolated var idleTime: Duration { .nanoseconds(Int64(uv_metrics_idle_time(core.uv))) }

    /// Runs `work` on the loop's thread in a later turn.
    ///
    /// Safe from any thread; order of calls is kept per caller. Work handed over after the loop has stopped is dropped,
    /// and the answer is false then.
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

    /// Asks for one ``Flushable/flush()`` at the end of this turn.
    ///
    /// *Loop thread.*
    nonisolated func flushAtEndOfTurn(_ stream: any Flushable) {
        assertCurrent()
        core.dirty.append(stream)
    }

    /// The door from C callbacks and synchronous code into Swift concurrency: starts `operation` on this loop and keeps
    /// it on the loop's thread until it ends.
    ///
    /// It begins in this turn, before the flush; whether already inside this call is up to Swift's runtime (6.3 puts it
    /// off, because the change to the preferred executor is a job). *Loop thread.*
    ///
    /// Unstructured on purpose: a callback has no task to be a child of. The owner of the operation keeps the returned
    /// task and cancels it; the end of the loop cancels it too.
    @discardableResult
    package nonisolated func spawn(
        _ operation: @escaping () async -> Void
    ) -> Task<Void, Never> {
        precondition(core.isCurrent, "spawn belongs on the loop's own thread; use run(_:) from elsewhere")
        // Safety: caller, closure and every resumption run on this loop's thread (checked above, and by
        // `checkIsolated` at each hop), so what the closure captures is never touched by two threads.
        nonisolated(unsafe) let operation = operation
        return assumeIsolated { loop in loop.start(operation) }
    }

    /// Runs `body` on this loop from any context and returns its result; cancelling the caller cancels `body`.
    ///
    /// The end of the loop cancels `body` too; after it `run` throws `CancellationError`.
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
        // Follows the task's first job on the same queue.
        core.submit(.work { [core] in core.tasks.keep(task, number) })
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
        core.tasks.keep(task, number)
        return task
    }
}

/// Something with bytes to write at the end of a loop turn.
protocol Flushable: AnyObject {
    func flush()
}

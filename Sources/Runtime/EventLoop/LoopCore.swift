internal import CUV
internal import Glibc
internal import Synchronization

/// What a loop's thread owns: the libuv loop, the queue of jobs and the list of streams to flush.
///
/// Safety: `@unchecked Sendable` because both executors and the actor share it. `submitted`, `wakeUp` (uv_async_send is
/// thread-safe by libuv's contract) and `thread` (written once before the loop runs) may be touched from any thread;
/// everything else only from the loop's thread.
final class LoopCore: @unchecked Sendable {
    /// Safety: `@unchecked Sendable` because `.local` closures are not; they are only made, queued and run on the loop's
    /// own thread (``enqueueLocal(_:)``) and never pass the mutex.
    enum Work: @unchecked Sendable {
        /// A job of the actor.
        case actorJob(UnownedJob)
        /// A job of a task that is not isolated at that moment.
        case taskJob(UnownedJob)
        /// A closure from another thread.
        case work(@Sendable () -> Void)
        /// A closure from the loop's own thread.
        case local(() -> Void)
    }

    private static let readBufferBytes = 65_536
    /// Output buffers kept for reuse, and the largest one worth keeping.
    private static let buffersMax = 64
    private static let bufferBytesMax = 65_536
    private static let bufferBytesInitial = 1024

    /// Longest queue whose memory is kept for reuse.
    private static let queueCapacityKept = 4096

    /// Passes over the job queue in one phase; beyond it sockets get their turn first.
    private static let drainPassesMax = 16
    /// How long the end of a loop waits for its cancelled tasks, and for what comes of the last jobs from outside.
    private static let endingLimit = Duration.seconds(2)
    private static let lastJobsLimit = Duration.milliseconds(100)

    let uv: UnsafeMutablePointer<uv_loop_t>
    var serialExecutor: UnownedSerialExecutor?
    var taskExecutor: UnownedTaskExecutor?
    var dirty: [any Flushable] = []
    var tasks = UnfinishedTasks()

    /// What all streams of this loop read into, one after the other.
    let readBuffer: uv_buf_t

    private let wakeUp: UnsafeMutablePointer<uv_async_t>
    private let prepare: UnsafeMutablePointer<uv_prepare_t>
    private let check: UnsafeMutablePointer<uv_check_t>
    private let idle: UnsafeMutablePointer<uv_idle_t>
    private let submitted = Mutex(Submitted())
    private let running = Atomic<UInt>(0)
    private let taskNumbers = Atomic<UInt64>(0)
    /// Threads that are about to wake the loop.
    private let wakers = Atomic<Int>(0)
    private var local: [Work] = []
    private var spare: [Work] = []
    private var flushing: [any Flushable] = []
    private var stopping = false
    private var buffers: [[UInt8]] = []

    private struct Submitted {
        var queue: [Work] = []
        var closed = false
        /// Threads that are about to hand over a task's first job.
        var entering = 0
    }

    init() {
        uv = .allocate(capacity: 1)
        wakeUp = .allocate(capacity: 1)
        prepare = .allocate(capacity: 1)
        check = .allocate(capacity: 1)
        idle = .allocate(capacity: 1)
        readBuffer = uv_buf_init(.allocate(capacity: Self.readBufferBytes), UInt32(Self.readBufferBytes))
        precondition(uv_loop_init(uv) == 0, "libuv could not make an event loop: out of descriptors or memory")
        precondition(lemma_uv_measure_idle_time(uv) == 0, "libuv cannot measure how long a loop waits")
        // Safety: the loop never outlives its core, because `run()` holds it.
        let context = Unmanaged.passUnretained(self).toOpaque()
        uv.pointee.data = context
        precondition(
            uv_async_init(uv, wakeUp) { $0.map { LoopCore.of($0.pointee.loop).takeSubmitted() } } == 0,
            "libuv could not make the loop's wake-up handle: out of descriptors",
        )
        uv_prepare_init(uv, prepare)
        uv_prepare_start(prepare) { $0.map { LoopCore.of($0.pointee.loop).endPhase() } }
        uv_check_init(uv, check)
        uv_check_start(check) { $0.map { LoopCore.of($0.pointee.loop).endPhase() } }
        uv_idle_init(uv, idle)
        // libuv leaves `data` as it finds it, and nil is what tells these four from the handles that have owners.
        wakeUp.pointee.data = nil
        prepare.pointee.data = nil
        check.pointee.data = nil
        idle.pointee.data = nil
    }

    deinit {
        readBuffer.base.deallocate()
        wakeUp.deallocate()
        prepare.deallocate()
        check.deallocate()
        idle.deallocate()
        uv.deallocate()
    }

    var isCurrent: Bool { running.load(ordering: .relaxed) == UInt(pthread_self()) }

    private static func of(_ loop: UnsafeMutablePointer<uv_loop_t>?) -> LoopCore {
        guard let data = loop?.pointee.data else { preconditionFailure("a libuv loop lost its owner") }
        return Unmanaged<LoopCore>.fromOpaque(data).takeUnretainedValue()
    }

    // MARK: Any thread

    /// Queues `work`; false when the loop has ended and will not run it.
    @discardableResult
    func submit(_ work: Work) -> Bool {
        if isCurrent {
            enqueueLocal(work)
            return true
        }
        let (accepted, wake) = submitted.withLock { submitted in
            guard !submitted.closed else { return (false, false) }
            submitted.queue.append(work)
            let wake = submitted.queue.count == 1
            // Counted under the lock, so that the loop's end waits for this one before it closes the handle.
            if wake { wakers.wrappingAdd(1, ordering: .relaxed) }
            return (true, wake)
        }
        if wake {
            uv_async_send(wakeUp)
            wakers.wrappingSubtract(1, ordering: .releasing)
        }
        return accepted
    }

    /// Keeps the queue open until ``didEnter()``, so that a task made in between is not made in vain; false when the loop
    /// has ended.
    func enter() -> Bool {
        submitted.withLock { submitted in
            guard !submitted.closed || isCurrent else { return false }
            submitted.entering += 1
            return true
        }
    }

    func didEnter() { submitted.withLock { $0.entering -= 1 } }

    /// A number for one task of this loop.
    func nextTaskNumber() -> UInt64 { taskNumbers.wrappingAdd(1, ordering: .relaxed).newValue }

    // MARK: Loop thread

    func enqueueLocal(_ work: Work) { local.append(work) }

    /// Runs until ``stop()``, then cancels every task and closes every handle and the loop.
    func run() {
        running.store(UInt(pthread_self()), ordering: .relaxed)
        takeSubmitted()
        endPhase()
        while !stopping { uv_run(uv, UV_RUN_ONCE) }
        uv_walk(uv, { handle, _ in uv_unref(handle) }, nil)
        settle(within: Self.endingLimit)
        while !closeQueue() { sched_yield() }
        settle(within: Self.lastJobsLimit)
        tasks = UnfinishedTasks()
        while wakers.load(ordering: .acquiring) > 0 { sched_yield() }
        uv_walk(uv, { handle, _ in uv_close(handle, nil) }, nil)
        uv_run(uv, UV_RUN_DEFAULT)
        precondition(uv_loop_close(uv) == 0, "a handle survived the end of its loop")
        running.store(0, ordering: .relaxed)
    }

    func stop() { stopping = true }

    private func closeQueue() -> Bool {
        submitted.withLock { submitted in
            submitted.closed = submitted.entering == 0
            return submitted.closed
        }
    }

    /// Cancels all tasks and closes all handles but our own, until nothing is left.
    ///
    /// Again in each pass: who hears that its stream is closed may set a timer or connect anew. At the limit the tasks
    /// that ignored their cancellation are given up, and jobs are dropped.
    private func settle(within limit: Duration) {
        let end = ContinuousClock.now + limit
        while true {
            takeSubmitted()
            for task in tasks.handles { task.cancel() }
            endPhase()
            uv_walk(uv, { handle, _ in closeAbandoned(handle) }, nil)
            let isAlive = uv_run(uv, UV_RUN_NOWAIT) != 0
            let isLate = ContinuousClock.now >= end
            if isLate { local = [] }
            guard local.isEmpty, dirty.isEmpty else { continue }
            if !isAlive, isLate || tasks.isEmpty { return }
            uv_sleep(1)  // For answers from other threads.
        }
    }

    /// An empty output buffer, most likely one that is still warm in the cache.
    func takeBuffer() -> [UInt8] {
        if let buffer = buffers.popLast() { return buffer }
        var buffer: [UInt8] = []
        buffer.reserveCapacity(Self.bufferBytesInitial)
        return buffer
    }

    /// Takes a buffer back, so that an idle stream holds none.
    func recycle(_ buffer: inout [UInt8]) {
        var taken: [UInt8] = []
        swap(&taken, &buffer)
        guard taken.capacity > 0, taken.capacity <= Self.bufferBytesMax, buffers.count < Self.buffersMax else { return }
        taken.removeAll(keepingCapacity: true)
        buffers.append(taken)
    }

    private func takeSubmitted() {
        submitted.withLock { submitted in
            local.append(contentsOf: submitted.queue)
            submitted.queue.removeAll(keepingCapacity: submitted.queue.count < Self.queueCapacityKept)
        }
    }

    /// Runs the jobs that piled up, then writes what they and the callbacks before them produced.
    private func endPhase() {
        var passes = 0
        while !local.isEmpty || !dirty.isEmpty, passes < Self.drainPassesMax {
            passes += 1
            swap(&local, &spare)
            for work in spare { perform(work) }
            spare.removeAll(keepingCapacity: spare.count < Self.queueCapacityKept)
            if local.isEmpty { flush() }
        }
        flush()
        if local.isEmpty, dirty.isEmpty {
            uv_idle_stop(idle)
        } else {
            uv_idle_start(idle) { _ in }  // An active idle handle makes the next poll return at once.
        }
    }

    /// Lets the streams write that have something; those that get more to write meanwhile have their turn in the next pass.
    private func flush() {
        guard !dirty.isEmpty else { return }
        swap(&dirty, &flushing)
        for stream in flushing { stream.flush() }
        flushing.removeAll(keepingCapacity: true)
    }

    private func perform(_ work: Work) {
        switch work {
        case .actorJob(let job):
            if let serialExecutor { job.runSynchronously(on: serialExecutor) }
        case .taskJob(let job):
            if let taskExecutor { job.runSynchronously(on: taskExecutor) }
        case .work(let work): work()
        case .local(let work): work()
        }
    }
}

/// Closes a handle that was still open when its loop stopped; the loop's own four have no owner.
private func closeAbandoned(_ handle: UnsafeMutablePointer<uv_handle_t>?) {
    guard let handle, uv_is_closing(handle) == 0 else { return }
    LoopHandle.owner(of: handle)?.close()
}

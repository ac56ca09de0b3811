internal import CUV
internal import Glibc
internal import Synchronization

/// The state of a loop's thread: the libuv loop, the job queue and the streams to flush.
///
/// Safety: `@unchecked Sendable` because both executors and the actor share it. `submitted`, `wakeUp` (uv_async_send is
/// thread-safe by libuv's contract) and the atomics may be used from any thread, everything else only from the loop's
/// thread. `@safe` because the handles are allocated in `init` and freed in `deinit`; ``run()`` holds the object while
/// libuv uses them.
@safe final class LoopCore: @unchecked Sendable {
    /// Safety: `@unchecked Sendable` because `.local` closures are not Sendable; they are created, queued and run on
    /// the loop's own thread (``enqueueLocal(_:)``) and never pass the mutex.
    ///
    /// `@safe` because each unowned job is run once.
    @safe enum Work: @unchecked Sendable {
        /// A job of the actor.
        case actorJob(UnownedJob)
        /// A job of a task outside the actor.
        case taskJob(UnownedJob)
        /// A closure from another thread.
        case work(@Sendable () -> Void)
        /// A closure from the loop's own thread.
        case local(() -> Void)
    }

    private static let readBufferBytes = 65_536
    /// Output buffers kept for reuse, and the capacity above which a buffer is freed instead.
    private static let buffersMax = 64
    private static let bufferBytesMax = 65_536
    private static let bufferBytesInitial = 1024

    /// Longest queue whose memory is kept for reuse.
    private static let queueCapacityKept = 4096

    /// Passes over the job queue in one phase; after them sockets are polled first.
    private static let drainPassesMax = 16
    /// How long the end of a loop waits for its cancelled tasks, and for the effects of the last submitted jobs.
    private static let endingLimit = Duration.seconds(2)
    private static let lastJobsLimit = Duration.milliseconds(100)

    let uv: UnsafeMutablePointer<uv_loop_t>
    var serialExecutor: UnownedSerialExecutor?
    var taskExecutor: UnownedTaskExecutor?
    var dirty: [any Flushable] = []
    var tasks = UnfinishedTasks()

    /// The read buffer that all streams of this loop share, one read at a time.
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
        /// Threads that are about to submit a task's first job.
        var entering = 0
    }

    init() {
        unsafe uv = .allocate(capacity: 1)
        unsafe wakeUp = .allocate(capacity: 1)
        unsafe prepare = .allocate(capacity: 1)
        unsafe check = .allocate(capacity: 1)
        unsafe idle = .allocate(capacity: 1)
        unsafe readBuffer = uv_buf_init(.allocate(capacity: Self.readBufferBytes), UInt32(Self.readBufferBytes))
        unsafe precondition(uv_loop_init(uv) == 0, "libuv cannot create an event loop: out of descriptors or memory")
        unsafe precondition(lemma_uv_measure_idle_time(uv) == 0, "libuv cannot measure how long a loop waits")
        // Safety: the libuv loop does not outlive its core, because `run()` holds the core.
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe uv.pointee.data = unsafe context
        unsafe precondition(
            uv_async_init(uv, wakeUp) { unsafe $0.map { unsafe LoopCore.of($0.pointee.loop).takeSubmitted() } } == 0,
            "libuv cannot create the loop's wake-up handle: out of descriptors",
        )
        unsafe uv_prepare_init(uv, prepare)
        unsafe uv_prepare_start(prepare) { unsafe $0.map { unsafe LoopCore.of($0.pointee.loop).endPhase() } }
        unsafe uv_check_init(uv, check)
        unsafe uv_check_start(check) { unsafe $0.map { unsafe LoopCore.of($0.pointee.loop).endPhase() } }
        unsafe uv_idle_init(uv, idle)
        // libuv does not initialise `data`; nil marks these four as handles without an owner.
        unsafe wakeUp.pointee.data = nil
        unsafe prepare.pointee.data = nil
        unsafe check.pointee.data = nil
        unsafe idle.pointee.data = nil
    }

    deinit {
        unsafe readBuffer.base.deallocate()
        unsafe wakeUp.deallocate()
        unsafe prepare.deallocate()
        unsafe check.deallocate()
        unsafe idle.deallocate()
        unsafe uv.deallocate()
    }

    var isCurrent: Bool { running.load(ordering: .relaxed) == UInt(pthread_self()) }

    private static func of(_ loop: UnsafeMutablePointer<uv_loop_t>?) -> LoopCore {
        guard let data = unsafe loop?.pointee.data else { preconditionFailure("a libuv loop has no owner") }
        return unsafe Unmanaged<LoopCore>.fromOpaque(data).takeUnretainedValue()
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
            // Counted under the lock, so that the loop's end waits for this wake-up before it closes the handle.
            if wake { wakers.wrappingAdd(1, ordering: .relaxed) }
            return (true, wake)
        }
        if wake {
            unsafe uv_async_send(wakeUp)
            wakers.wrappingSubtract(1, ordering: .releasing)
        }
        return accepted
    }

    /// Keeps the queue open until ``didEnter()``, so that the loop runs a task created in between; false when the loop has
    /// ended.
    func enter() -> Bool {
        submitted.withLock { submitted in
            guard !submitted.closed || isCurrent else { return false }
            submitted.entering += 1
            return true
        }
    }

    func didEnter() { submitted.withLock { $0.entering -= 1 } }

    /// A unique number for one task of this loop.
    func nextTaskNumber() -> UInt64 { taskNumbers.wrappingAdd(1, ordering: .relaxed).newValue }

    // MARK: Loop thread

    func enqueueLocal(_ work: Work) { local.append(work) }

    /// Runs until ``stop()``, then cancels every task and closes every handle and the loop.
    func run() {
        running.store(UInt(pthread_self()), ordering: .relaxed)
        takeSubmitted()
        endPhase()
        while !stopping { unsafe uv_run(uv, UV_RUN_ONCE) }
        unsafe uv_walk(uv, { handle, _ in unsafe uv_unref(handle) }, nil)
        settle(within: Self.endingLimit)
        while !closeQueue() { sched_yield() }
        settle(within: Self.lastJobsLimit)
        tasks = UnfinishedTasks()
        while wakers.load(ordering: .acquiring) > 0 { sched_yield() }
        unsafe uv_walk(uv, { handle, _ in unsafe uv_close(handle, nil) }, nil)
        unsafe uv_run(uv, UV_RUN_DEFAULT)
        unsafe precondition(uv_loop_close(uv) == 0, "a handle survived the end of its loop")
        running.store(0, ordering: .relaxed)
    }

    func stop() { stopping = true }

    private func closeQueue() -> Bool {
        submitted.withLock { submitted in
            submitted.closed = submitted.entering == 0
            return submitted.closed
        }
    }

    /// Cancels all tasks and closes all handles except the loop's own, until none is left.
    ///
    /// Repeated in each pass, because the owner of a closed stream may set a timer or connect again. At the limit, tasks
    /// that ignore their cancellation are abandoned and queued jobs are dropped.
    private func settle(within limit: Duration) {
        let end = ContinuousClock.now + limit
        while true {
            takeSubmitted()
            for task in tasks.handles { task.cancel() }
            endPhase()
            unsafe uv_walk(uv, { handle, _ in unsafe closeAbandoned(handle) }, nil)
            let isAlive = unsafe uv_run(uv, UV_RUN_NOWAIT) != 0
            let isLate = ContinuousClock.now >= end
            if isLate { local = [] }
            guard local.isEmpty, dirty.isEmpty else { continue }
            if !isAlive, isLate || tasks.isEmpty { return }
            uv_sleep(1)  // Waits for other threads.
        }
    }

    /// An empty output buffer: the most recently returned one, which is likely still in the CPU's cache.
    func takeBuffer() -> [UInt8] {
        if let buffer = buffers.popLast() { return buffer }
        var buffer: [UInt8] = []
        buffer.reserveCapacity(Self.bufferBytesInitial)
        return buffer
    }

    /// Returns a buffer to the pool, so that an idle stream holds none.
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

    /// Runs the queued jobs, then flushes the output of the jobs and of the callbacks before them.
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
            unsafe uv_idle_stop(idle)
        } else {
            unsafe uv_idle_start(idle) { _ in }  // An active idle handle makes the next poll return at once.
        }
    }

    /// Flushes the streams with output; a stream that gets more output meanwhile is flushed in the next pass.
    private func flush() {
        guard !dirty.isEmpty else { return }
        swap(&dirty, &flushing)
        for stream in flushing { stream.flush() }
        flushing.removeAll(keepingCapacity: true)
    }

    private func perform(_ work: Work) {
        switch work {
        case .actorJob(let job):
            if let serialExecutor = unsafe serialExecutor { unsafe job.runSynchronously(on: serialExecutor) }
        case .taskJob(let job):
            if let taskExecutor = unsafe taskExecutor { unsafe job.runSynchronously(on: taskExecutor) }
        case .work(let work): work()
        case .local(let work): work()
        }
    }
}

/// Closes a handle that is still open when its loop stops; the loop's own four handles have no owner.
private func closeAbandoned(_ handle: UnsafeMutablePointer<uv_handle_t>?) {
    guard let handle = unsafe handle, unsafe uv_is_closing(handle) == 0 else { return }
    unsafe LoopHandle.owner(of: handle)?.close()
}

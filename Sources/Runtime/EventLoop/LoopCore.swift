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

    /// Passes over the job queue in one phase; beyond it sockets get their turn first.
    private static let drainPassesMax = 16

    let uv: UnsafeMutablePointer<uv_loop_t>
    var serialExecutor: UnownedSerialExecutor?
    var taskExecutor: UnownedTaskExecutor?
    var dirty: [any Flushable] = []

    /// What all streams of this loop read into, one after the other.
    let readBuffer: uv_buf_t

    private let wakeUp: UnsafeMutablePointer<uv_async_t>
    private let prepare: UnsafeMutablePointer<uv_prepare_t>
    private let check: UnsafeMutablePointer<uv_check_t>
    private let idle: UnsafeMutablePointer<uv_idle_t>
    private let submitted = Mutex(Submitted())
    private let running = Atomic<UInt>(0)
    private var local: [Work] = []
    private var spare: [Work] = []
    private var stopping = false
    private var buffers: [[UInt8]] = []

    private struct Submitted {
        var queue: [Work] = []
        var closed = false
    }

    init() {
        uv = .allocate(capacity: 1)
        wakeUp = .allocate(capacity: 1)
        prepare = .allocate(capacity: 1)
        check = .allocate(capacity: 1)
        idle = .allocate(capacity: 1)
        readBuffer = uv_buf_init(.allocate(capacity: Self.readBufferBytes), UInt32(Self.readBufferBytes))
        precondition(uv_loop_init(uv) == 0, "libuv could not make an event loop: out of descriptors or memory")
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

    func submit(_ work: Work) {
        if isCurrent {
            enqueueLocal(work)
            return
        }
        let wake = submitted.withLock { submitted in
            guard !submitted.closed else { return false }
            submitted.queue.append(work)
            return submitted.queue.count == 1
        }
        if wake { uv_async_send(wakeUp) }
    }

    // MARK: Loop thread

    func enqueueLocal(_ work: Work) { local.append(work) }

    /// Runs until ``stop()``, then closes every handle and the loop.
    func run() {
        running.store(UInt(pthread_self()), ordering: .relaxed)
        takeSubmitted()
        endPhase()
        while !stopping { uv_run(uv, UV_RUN_ONCE) }
        submitted.withLock { $0.closed = true }
        takeSubmitted()
        endPhase()
        // Again after each turn: who hears that its stream is closed may set a timer or connect anew.
        repeat {
            uv_walk(uv, { handle, _ in if uv_is_closing(handle) == 0 { closeAbandoned(handle) } }, nil)
            endPhase()
        } while uv_run(uv, UV_RUN_NOWAIT) != 0
        precondition(uv_loop_close(uv) == 0, "a handle survived the end of its loop")
        running.store(0, ordering: .relaxed)
    }

    func stop() { stopping = true }

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
        local.append(
            contentsOf: submitted.withLock { submitted in
                let queue = submitted.queue
                submitted.queue.removeAll(keepingCapacity: true)
                return queue
            }
        )
    }

    /// Runs the jobs that piled up, then writes what they and the callbacks before them produced.
    private func endPhase() {
        var passes = 0
        while !local.isEmpty, passes < Self.drainPassesMax {
            passes += 1
            swap(&local, &spare)
            for work in spare { perform(work) }
            spare.removeAll(keepingCapacity: spare.count < 4096)
            if local.isEmpty { flush() }
        }
        flush()
        if local.isEmpty {
            uv_idle_stop(idle)
        } else {
            uv_idle_start(idle) { _ in }  // An active idle handle makes the next poll return at once.
        }
    }

    private func flush() {
        while !dirty.isEmpty {
            let streams = dirty
            dirty.removeAll(keepingCapacity: true)
            for stream in streams { stream.flush() }
        }
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

/// Closes a handle that was still open when its loop stopped.
private func closeAbandoned(_ handle: UnsafeMutablePointer<uv_handle_t>?) {
    guard let handle else { return }
    if let owner = LoopHandle.owner(of: handle) {
        owner.close()
    } else {
        uv_close(handle, nil)
    }
}

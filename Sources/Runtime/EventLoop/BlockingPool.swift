internal import CUV
internal import Glibc
internal import Synchronization

/// Runs work that computes or blocks for long on threads beside the loops, at a low priority, so that a flood of it
/// does not delay what the loops do.
///
/// A thread is started when work waits and none is idle, and then kept. At most ``waitingMax`` pieces of work wait;
/// what comes beyond is rejected at once. Work is begun in the order in which it came.
package final class BlockingPool: Sendable {
    /// Why work was rejected.
    package enum Failure: Error, Equatable {
        /// Too much work waits; nothing was run.
        case busy
    }

    private let shared: SharedPoolState

    /// `niceness` is that of the threads, from 0 (as the loops) to 19 (only what the loops leave).
    package init(threadsMax: Int, waitingMax: Int, niceness: Int = 10) {
        precondition(threadsMax >= 1 && waitingMax >= 0, "a pool needs a thread")
        shared = SharedPoolState(threadsMax: threadsMax, waitingMax: waitingMax, niceness: Int32(niceness))
    }

    deinit { shared.stop() }

    /// Runs `work` on a thread of the pool and returns its result where the caller runs.
    ///
    /// Cancelling the caller does not cancel the work.
    package func run<Result: Sendable>(_ work: @escaping @Sendable () -> Result) async throws(Failure) -> Result {
        let shared = shared
        let result: Result? = unsafe await withUnsafeContinuation { continuation in
            // Safety: resumed once, by the thread that ran the work, or here where none will.
            let isAccepted = shared.submit { unsafe continuation.resume(returning: work()) }
            if !isAccepted { unsafe continuation.resume(returning: nil) }
        }
        guard let result else { throw .busy }
        return result
    }
}

/// What the pool and its threads share; a thread retains it until it ends.
///
/// Safety: `@unchecked Sendable` because the semaphore may be used from any thread; `@safe` because its memory lives as
/// long as the object.
@safe private final class SharedPoolState: @unchecked Sendable {
    private struct State {
        var waiting: [@Sendable () -> Void] = []
        var threads = 0
        var idle = 0
    }

    private let threadsMax: Int
    private let waitingMax: Int
    private let niceness: Int32
    private let state = Mutex(State())
    /// Counts work that waits, and at the end the threads that have to end.
    private let signal = UnsafeMutablePointer<uv_sem_t>.allocate(capacity: 1)

    init(threadsMax: Int, waitingMax: Int, niceness: Int32) {
        self.threadsMax = threadsMax
        self.waitingMax = waitingMax
        self.niceness = niceness
        unsafe precondition(uv_sem_init(signal, 0) == 0, "libuv cannot create a semaphore")
    }

    deinit {
        unsafe uv_sem_destroy(signal)
        unsafe signal.deallocate()
    }

    /// False where too much work waits already.
    func submit(_ work: @escaping @Sendable () -> Void) -> Bool {
        let (isAccepted, needsThread) = state.withLock { state in
            let needsThread = state.waiting.count >= state.idle && state.threads < threadsMax
            if needsThread {
                // Idle until it takes its first work.
                state.threads += 1
                state.idle += 1
            }
            guard state.waiting.count < state.idle + waitingMax else { return (false, false) }
            state.waiting.append(work)
            return (true, needsThread)
        }
        if needsThread { startThread() }
        if isAccepted { unsafe uv_sem_post(signal) }
        return isAccepted
    }

    /// Ends each thread when no work waits any more.
    func stop() {
        let threads = state.withLock { $0.threads }
        for _ in 0..<threads { unsafe uv_sem_post(signal) }
    }

    private func startThread() {
        var thread = uv_thread_t()
        // Safety: the new thread owns this reference and releases it when it ends.
        let context = unsafe Unmanaged.passRetained(self).toOpaque()
        let status = unsafe uv_thread_create(
            &thread,
            { argument in
                guard let argument = unsafe argument else { return }
                unsafe Unmanaged<SharedPoolState>.fromOpaque(argument).takeRetainedValue().serve()
            },
            unsafe context,
        )
        precondition(status == 0, "cannot start a thread of a pool: \(status)")
        // The last work may release the pool on the very thread, which could not join itself.
        pthread_detach(thread)
    }

    private func serve() {
        _ = lemma_set_thread_niceness(niceness)
        while true {
            unsafe uv_sem_wait(signal)
            let work: (@Sendable () -> Void)? = state.withLock { state in
                guard !state.waiting.isEmpty else { return nil }
                state.idle -= 1
                return state.waiting.removeFirst()
            }
            // Signalled without work: the end of the pool.
            guard let work else { return }
            work()
            state.withLock { $0.idle += 1 }
        }
    }
}

import Glibc
import Synchronization

/// Runs `body` on a thread of its own, so that it may block without occupying a thread of Swift's pool.
package func onThread<Result: Sendable>(
    _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    let thread = DedicatedThread()
    defer { thread.stop() }
    return try await Task(executorPreference: thread) { try await body() }.value
}

/// One thread that runs the jobs of tasks which prefer it.
private final class DedicatedThread: TaskExecutor {
    private struct State {
        var jobs: [UnownedJob] = []
        var isStopped = false
    }

    private let state = Mutex(State())
    private let signal: Signal

    init() {
        signal = Signal()
        var thread = pthread_t()
        // Safety: the new thread releases the reference.
        let context = unsafe Unmanaged.passRetained(self).toOpaque()
        let status = unsafe pthread_create(
            &thread,
            nil,
            { context in
                if let context = unsafe context {
                    unsafe Unmanaged<DedicatedThread>.fromOpaque(context).takeRetainedValue().run()
                }
                return nil
            },
            unsafe context,
        )
        precondition(status == 0, "could not start a thread for a test")
        pthread_detach(thread)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        state.withLock { $0.jobs.append(job) }
        signal.raise()
    }

    func stop() {
        state.withLock { $0.isStopped = true }
        signal.raise()
    }

    private func run() {
        while true {
            signal.wait()
            let (jobs, isStopped) = state.withLock { state in
                defer { state.jobs = [] }
                return (state.jobs, state.isStopped)
            }
            for job in jobs { unsafe job.runSynchronously(on: asUnownedTaskExecutor()) }
            if isStopped, jobs.isEmpty { return }
            if isStopped { signal.raise() }
        }
    }
}

/// A counting semaphore.
///
/// Safety: `@unchecked Sendable` because any thread may use a POSIX semaphore; `@safe` because its memory lives as long as
/// the object.
@safe private final class Signal: @unchecked Sendable {
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init() { unsafe sem_init(semaphore, 0, 0) }

    deinit {
        unsafe sem_destroy(semaphore)
        unsafe semaphore.deallocate()
    }

    func raise() { unsafe sem_post(semaphore) }

    func wait() { while unsafe sem_wait(semaphore) != 0 {} }
}

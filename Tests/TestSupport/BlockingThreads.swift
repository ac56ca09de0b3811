internal import Glibc

/// Runs `body` and its child tasks on threads of their own, so that blocking calls delay no other task.
///
/// Task-local values are kept, so a failed expectation is reported for the right test.
package func onOwnThreads<Result: Sendable>(
    _ body: @Sendable () async throws -> Result
) async throws -> Result {
    try await withTaskExecutorPreference(ThreadPerJobExecutor()) { try await body() }
}

/// Runs `body` for 0, 1, … `count - 1`, all at once, and returns the results in that order.
///
/// Each is on a thread of its own when this is called within ``onOwnThreads(_:)``.
package func atOnce<Result: Sendable>(
    _ count: Int,
    _ body: @escaping @Sendable (Int) async throws -> Result
) async throws -> [Result] {
    try await withThrowingTaskGroup(of: (Int, Result).self) { group in
        for index in 0..<count { group.addTask { (index, try await body(index)) } }
        var results: [Int: Result] = [:]
        for try await (index, result) in group { results[index] = result }
        return (0..<count).compactMap { results[$0] }
    }
}

/// Runs each part of a task between two suspensions on a thread of its own.
private final class ThreadPerJobExecutor: TaskExecutor {
    private static let stackBytes = 512 * 1024

    /// A job on its way to its thread.
    private final class Cargo {
        let job: UnownedJob
        let executor: ThreadPerJobExecutor

        init(_ job: UnownedJob, _ executor: ThreadPerJobExecutor) {
            self.job = job
            self.executor = executor
        }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        // Safety: retained here, released by the thread that gets it, or here if no thread starts.
        let cargo = unsafe Unmanaged.passRetained(Cargo(UnownedJob(job), self))
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        defer { unsafe pthread_attr_destroy(&attributes) }
        unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        unsafe pthread_attr_setstacksize(&attributes, Self.stackBytes)
        var thread = pthread_t()
        let status = unsafe pthread_create(
            &thread,
            &attributes,
            { argument in
                // Safety: the pointer is the result of `passRetained` and is used once.
                guard let argument = unsafe argument else { return nil }
                let cargo = unsafe Unmanaged<Cargo>.fromOpaque(argument).takeRetainedValue()
                unsafe cargo.job.runSynchronously(on: cargo.executor.asUnownedTaskExecutor())
                return nil
            },
            unsafe cargo.toOpaque(),
        )
        precondition(status == 0, "a test needs one more thread than the system gives")
    }
}

/// Runs an operation on a loop again and again, with a pause after each run.
///
/// Runs never overlap. The task ends with ``cancel()`` and with the loop. Loop-owned.
package final class PeriodicTask {
    private let task: Task<Void, Never>

    /// Starts at once; the first run follows immediately or after the first pause.
    package init(
        every pause: Duration,
        on loop: Loop,
        runsImmediately: Bool = false,
        _ operation: @escaping () async -> Void
    ) {
        task = loop.spawn {
            if runsImmediately { await operation() }
            while (try? await loop.sleep(for: pause)) != nil { await operation() }
        }
    }

    /// Ends the pause or, by cancellation, the run; no further run follows.
    ///
    /// Idempotent.
    package func cancel() { task.cancel() }
}

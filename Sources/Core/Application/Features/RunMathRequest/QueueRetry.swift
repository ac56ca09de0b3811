internal import Shared

/// Retries calls of the queue while its store is unavailable.
struct QueueRetry {
    /// Pauses between tries, doubling from the first to the last.
    private static let pauses = (first: Duration.milliseconds(50), last: Duration.seconds(1))

    enum Failure: Error {
        /// The worker stops, or another worker owns the job.
        case stopped
        /// The store rejects the call permanently. The detail is for operators.
        case refused(detail: String)
    }

    let clock: any MonotonicClock
    let backoff: Backoff

    /// Repeats `call` until it succeeds, or until the worker stops or, with a control, has lost the lease.
    func run<Value>(
        _ control: AttemptControl?,
        _ call: () async throws(QueueFailure) -> Value
    ) async -> Result<Value, Failure> {
        var pause = Self.pauses.first
        while true {
            do throws(QueueFailure) {
                return .success(try await call())
            } catch {
                switch error {
                case .cancelled: return .failure(.stopped)
                case .refused(let detail): return .failure(.refused(detail: detail))
                case .unavailable: break
                }
                if case .leaseLost = control?.reason { return .failure(.stopped) }
                guard (try? await clock.sleep(for: backoff.jittered(pause))) != nil else {
                    return .failure(.stopped)
                }
                pause = min(pause * 2, Self.pauses.last)
            }
        }
    }
}

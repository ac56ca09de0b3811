package import Domain
internal import Shared
internal import Telemetry

/// The ends of requests: each accepted request is counted once, on the replica that ended it.
package struct OutcomeMetrics: Sendable {
    /// The kinds of failure that end a request; another kind counts as an internal error.
    private static let failures: [ProblemKind] = [
        .providerFailed, .providerTimedOut, .attemptsExhausted, .removedFromQueue, .storeUnavailable, .internalError,
    ]

    private let completed: [FinishReason: Counter]
    private let failed: [ProblemKind: Counter]
    private let cancelled: [CancelReason: Counter]
    private let expired: Counter
    /// From submission to the end.
    private let seconds: [RequestStatus: Histogram]

    init(_ registry: MetricsRegistry) {
        func counters<Reason: RawRepresentable<String> & Hashable>(
            _ status: RequestStatus,
            _ reasons: [Reason]
        ) -> [Reason: Counter] {
            Dictionary(
                uniqueKeysWithValues: reasons.map { ($0, Self.counter(registry, status.rawValue, $0.rawValue)) }
            )
        }
        completed = counters(.completed, FinishReason.allCases)
        failed = counters(.failed, Self.failures)
        cancelled = counters(.cancelled, CancelReason.allCases)
        expired = Self.counter(registry, "expired", "not_taken")
        let statuses: [RequestStatus] = [.completed, .failed, .cancelled]
        seconds = Dictionary(
            uniqueKeysWithValues: statuses.map { status in
                let help = "Requests from submission to their end, by status"
                let labels: MetricsRegistry.Labels = ["status": status.rawValue]
                return (status, registry.histogram("lemma_request_duration_seconds", help: help, labels: labels))
            }
        )
    }

    private static func counter(_ registry: MetricsRegistry, _ status: String, _ reason: String) -> Counter {
        registry.counter(
            "lemma_requests_finished_total",
            help: "Requests ended, each once on the replica that ended it, by status and why",
            labels: ["status": status, "reason": reason],
        )
    }

    /// Counts a request by its outcome and the time since its submission; `exemplar` is the id of its trace.
    package func count(_ outcome: AnswerOutcome, after duration: Duration, exemplar: String? = nil) {
        switch outcome {
        case .completed(let reason): completed[reason]?.increment()
        case .failed(let failure): (failed[failure.kind] ?? failed[.internalError])?.increment()
        case .cancelled(let reason): cancelled[reason]?.increment()
        }
        seconds[outcome.status]?.observe(duration, exemplar: exemplar)
    }

    /// Counts a request that expired before a worker took it.
    package func countExpired() { expired.increment() }
}

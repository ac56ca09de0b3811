package import Domain
internal import Shared
internal import Telemetry

/// How requests ended: each accepted one is counted once, on the replica that ended it.
package struct OutcomeMetrics: Sendable {
    /// The kinds of failure that end a request; another one counts as a mistake of ours.
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

    /// Counts a request that ended so long after its submission; `exemplar` is the id of its trace.
    package func count(_ outcome: AnswerOutcome, after duration: Duration, exemplar: String? = nil) {
        switch outcome {
        case .completed(let reason): completed[reason]?.increment()
        case .failed(let failure): (failed[failure.kind] ?? failed[.internalError])?.increment()
        case .cancelled(let reason): cancelled[reason]?.increment()
        }
        seconds[outcome.status]?.observe(duration, exemplar: exemplar)
    }

    /// Counts a request that nobody took before Redis forgot it.
    package func countExpired() { expired.increment() }
}

package import Telemetry

/// The queue of jobs, as workers see it.
package struct QueueMetrics: Sendable {
    /// From submission to the first claim.
    package let waitSeconds: Histogram
    /// Jobs taken over from silent workers.
    package let takenOver: Counter

    init(_ registry: MetricsRegistry) {
        waitSeconds = registry.histogram("lemma_queue_wait_seconds", help: "Submission to first claim")
        takenOver = registry.counter("lemma_jobs_taken_over_total", help: "Jobs taken over from silent workers")
    }
}

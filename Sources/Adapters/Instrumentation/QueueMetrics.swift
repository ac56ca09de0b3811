package import Application
internal import Telemetry
internal import Time

/// The queue's state in Redis.
///
/// Every replica exports the same values: aggregate them with max(), not with sum().
package struct QueueMetrics: Sendable {
    private let waiting: Reading
    private let claimed: Reading
    private let delayed: Reading
    private let dead: Reading
    private let inConversationQueues: Reading
    private let oldestWaitingSeconds: Reading
    private let longestSilenceSeconds: Reading

    init(_ registry: MetricsRegistry) {
        func reading(_ name: String, _ help: String) -> Reading {
            registry.reading(name, help: help + "; the same on every replica: use max, not sum")
        }
        waiting = reading("lemma_queue_waiting_jobs", "Jobs that no worker has received")
        claimed = reading("lemma_queue_claimed_jobs", "Jobs that workers own")
        delayed = reading("lemma_queue_delayed_jobs", "Requests between two attempts")
        dead = reading("lemma_queue_dead_letters", "Dead letters")
        inConversationQueues = reading("lemma_queue_lined_up_requests", "Requests in the queues of their conversations")
        oldestWaitingSeconds = reading("lemma_queue_oldest_waiting_seconds", "Age of the oldest waiting job")
        longestSilenceSeconds = reading(
            "lemma_queue_oldest_claim_idle_seconds",
            "Longest time since a worker renewed the lease of a job",
        )
    }

    /// Sets the levels; nil where Redis could not be read.
    package func show(_ levels: QueueLevels?) {
        waiting.set(levels.map { Double($0.waiting) })
        claimed.set(levels.map { Double($0.claimed) })
        delayed.set(levels.map { Double($0.delayed) })
        dead.set(levels.map { Double($0.dead) })
        inConversationQueues.set(levels.map { Double($0.inConversationQueues) })
        oldestWaitingSeconds.set(levels.map { $0.oldestWaiting.inSeconds })
        longestSilenceSeconds.set(levels.map { $0.longestSilence.inSeconds })
    }
}

internal import Telemetry
internal import Time

/// The state of the queue at one moment, in all partitions.
package struct QueueLevels: Sendable, Equatable {
    /// Jobs that no worker has received.
    package var waiting = 0
    /// Jobs that workers own.
    package var claimed = 0
    /// Requests between two attempts.
    package var delayed = 0
    /// Dead letters.
    package var dead = 0
    /// Requests in the queues of their conversations.
    package var inConversationQueues = 0
    /// Age of the oldest waiting job; zero where none waits.
    package var oldestWaiting = Duration.zero
    /// The longest time since the owner of a claimed job renewed its lease; zero where none is claimed.
    package var longestSilence = Duration.zero

    package init(
        waiting: Int = 0,
        claimed: Int = 0,
        delayed: Int = 0,
        dead: Int = 0,
        inConversationQueues: Int = 0,
        oldestWaiting: Duration = .zero,
        longestSilence: Duration = .zero
    ) {
        self.waiting = waiting
        self.claimed = claimed
        self.delayed = delayed
        self.dead = dead
        self.inConversationQueues = inConversationQueues
        self.oldestWaiting = oldestWaiting
        self.longestSilence = longestSilence
    }

    /// Adds another partition's.
    package mutating func add(_ other: QueueLevels) {
        waiting += other.waiting
        claimed += other.claimed
        delayed += other.delayed
        dead += other.dead
        inConversationQueues += other.inConversationQueues
        oldestWaiting = max(oldestWaiting, other.oldestWaiting)
        longestSilence = max(longestSilence, other.longestSilence)
    }
}

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

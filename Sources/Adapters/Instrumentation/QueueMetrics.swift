internal import Telemetry
internal import Time

/// What is in the queue at one moment, of all partitions.
package struct QueueLevels: Sendable, Equatable {
    /// Jobs that no worker has yet.
    package var waiting = 0
    /// Jobs that workers have.
    package var claimed = 0
    /// Requests between two attempts.
    package var delayed = 0
    /// Dead letters.
    package var dead = 0
    /// Requests that wait for the one before them in their conversation.
    package var inLine = 0
    /// Since the oldest waiting job came; zero where none waits.
    package var oldestWaiting = Duration.zero
    /// The longest time for which the owner of a claimed job has not been heard; zero where none is claimed.
    package var longestSilence = Duration.zero

    package init(
        waiting: Int = 0,
        claimed: Int = 0,
        delayed: Int = 0,
        dead: Int = 0,
        inLine: Int = 0,
        oldestWaiting: Duration = .zero,
        longestSilence: Duration = .zero
    ) {
        self.waiting = waiting
        self.claimed = claimed
        self.delayed = delayed
        self.dead = dead
        self.inLine = inLine
        self.oldestWaiting = oldestWaiting
        self.longestSilence = longestSilence
    }

    /// Adds another partition's.
    package mutating func add(_ other: QueueLevels) {
        waiting += other.waiting
        claimed += other.claimed
        delayed += other.delayed
        dead += other.dead
        inLine += other.inLine
        oldestWaiting = max(oldestWaiting, other.oldestWaiting)
        longestSilence = max(longestSilence, other.longestSilence)
    }
}

/// The queue as Redis has it.
///
/// Every replica shows the same numbers: ask for their max(), not their sum().
package struct QueueMetrics: Sendable {
    private let waiting: Reading
    private let claimed: Reading
    private let delayed: Reading
    private let dead: Reading
    private let inLine: Reading
    private let oldestWaitingSeconds: Reading
    private let longestSilenceSeconds: Reading

    init(_ registry: MetricsRegistry) {
        func reading(_ name: String, _ help: String) -> Reading {
            registry.reading(name, help: help + "; the same on every replica: use max, not sum")
        }
        waiting = reading("lemma_queue_waiting_jobs", "Jobs that no worker has yet")
        claimed = reading("lemma_queue_claimed_jobs", "Jobs that workers have")
        delayed = reading("lemma_queue_delayed_jobs", "Requests between two attempts")
        dead = reading("lemma_queue_dead_letters", "Dead letters that wait for an operator")
        inLine = reading("lemma_queue_lined_up_requests", "Requests behind another one of their conversation")
        oldestWaitingSeconds = reading("lemma_queue_oldest_waiting_seconds", "Age of the oldest waiting job")
        longestSilenceSeconds = reading(
            "lemma_queue_oldest_claim_idle_seconds",
            "Longest silence of a worker about a job it has",
        )
    }

    /// Shows what was found; nil where Redis could not be asked.
    package func show(_ levels: QueueLevels?) {
        waiting.set(levels.map { Double($0.waiting) })
        claimed.set(levels.map { Double($0.claimed) })
        delayed.set(levels.map { Double($0.delayed) })
        dead.set(levels.map { Double($0.dead) })
        inLine.set(levels.map { Double($0.inLine) })
        oldestWaitingSeconds.set(levels.map { $0.oldestWaiting.inSeconds })
        longestSilenceSeconds.set(levels.map { $0.longestSilence.inSeconds })
    }
}

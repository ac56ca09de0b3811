/// Reads the state of the queue.
package protocol QueueLevelsReader {
    /// The sum of all partitions, and the maximum of their times.
    func levels() async throws(RepositoryFailure) -> QueueLevels
}

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

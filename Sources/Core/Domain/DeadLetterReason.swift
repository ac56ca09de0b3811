/// The reason of a dead letter.
package enum DeadLetterReason: String, Sendable, CaseIterable {
    /// Every attempt failed.
    case attemptsExhausted = "attempts_exhausted"
    /// The queue's entry cannot be read.
    case malformed
    /// The stored request cannot be processed, such as one whose record cannot be read.
    case unreadable
    /// The request's job was removed from the queue by an operator.
    case removedFromQueue = "removed_from_queue"
}

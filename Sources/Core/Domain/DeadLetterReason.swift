/// Why there is a dead letter.
package enum DeadLetterReason: String, Sendable, CaseIterable {
    /// Every attempt failed.
    case attemptsExhausted = "attempts_exhausted"
    /// The entry of the queue cannot be read.
    case malformed
    /// The store cannot go on with the request, such as one whose record cannot be read.
    case unreadable
    /// The request's job was taken out of the queue by something else than a worker.
    case removedFromQueue = "removed_from_queue"
}

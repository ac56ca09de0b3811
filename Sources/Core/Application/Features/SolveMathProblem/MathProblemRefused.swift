/// A valid problem was not accepted, because of the state of the service.
package struct MathProblemRefused: DomainEvent {
    package enum Reason: String, Sendable, CaseIterable {
        case queueFull = "queue_full"
        /// The conversation's limit of waiting requests.
        case conversationCrowded = "conversation_crowded"
        /// Too many records wait for the archive.
        case archiveBehind = "archive_behind"
        case unavailable
    }

    package let reason: Reason
}

extension MathProblemRefused {
    /// Nil for a failure that the client caused.
    init?(_ failure: SolveMathProblem.Failure) {
        switch failure {
        case .queueFull: reason = .queueFull
        case .conversationCrowded: reason = .conversationCrowded
        case .archiveBehind: reason = .archiveBehind
        case .unavailable: reason = .unavailable
        case .invalid, .conversationNotFound, .conversationBusy, .idempotencyKeyReused: return nil
        }
    }
}

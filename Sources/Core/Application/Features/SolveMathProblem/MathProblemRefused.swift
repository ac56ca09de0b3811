/// A valid problem was not accepted, because of the state of the service or a limit of its submitter.
package struct MathProblemRefused: DomainEvent {
    package enum Reason: String, Sendable, CaseIterable {
        case queueFull = "queue_full"
        /// The conversation's limit of waiting requests.
        case conversationCrowded = "conversation_crowded"
        /// Too many records wait for the archive.
        case archiveBehind = "archive_behind"
        case unavailable
        /// A limit of the submitter: whose limit it is, and of what.
        case userRate = "user_rate"
        case userActive = "user_active"
        case userTokens = "user_tokens"
        case keyRate = "key_rate"
        case keyActive = "key_active"
        case keyTokens = "key_tokens"
        case addressRate = "address_rate"
        case addressTokens = "address_tokens"
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
        case .limited(let reached):
            guard let limit = Reason(rawValue: "\(reached.name)_\(reached.kind.rawValue)") else { return nil }
            reason = limit
        case .invalid, .conversationNotFound, .conversationBusy, .idempotencyKeyReused: return nil
        }
    }
}

package import Domain
package import Shared

/// Hands accepted problems to the workers.
///
/// Delivery: once `publish` returns, at least once. The job, the request's record and its `queued` event are written
/// together or not at all. Order: first in, first out per partition, up to redelivery.
package protocol MessagePublisher {
    /// Writes the job, or puts the request at the end of its conversation's line where that is busy; which of the two, or
    /// neither, follows from ``SolveOptions/onBusy``.
    ///
    /// With `submission`, a repetition of an earlier one writes nothing and gives the earlier request.
    func publish(
        _ request: MathRequest,
        in conversation: ConversationStanding,
        as submission: IdempotentSubmission?
    ) async throws(PublishFailure) -> Publication
}

/// What is known of the conversation that a new request belongs to.
package enum ConversationStanding: String, Sendable {
    /// The request opens it.
    case new
    /// The client named it: it must exist and be the user's.
    case named
    /// The client named it, and it was found to exist and to be the user's.
    case confirmed
}

/// A submission that its client may repeat without a second job coming of it, while it is remembered.
package struct IdempotentSubmission: Sendable, Hashable {
    /// Stands for the user and the key the client chose.
    package let name: Fingerprint
    /// Stands for what was asked: problem, conversation, provider and options.
    package let meaning: Fingerprint

    package init(name: Fingerprint, meaning: Fingerprint) {
        self.name = name
        self.meaning = meaning
    }
}

/// What the queue says to a new job.
package struct Publication: Sendable {
    /// The moment of submission by the store's clock.
    package let createdAt: Timestamp
    /// Place in the waiting line; 1 is next.
    package let position: Int
    /// The job's number in its queue; nil while the request waits in its conversation's queue.
    package let jobNumber: Int?
    /// The earlier request that this submission repeats; nil for a new one.
    package let replayed: ReplayedRequest?

    package init(createdAt: Timestamp, position: Int, jobNumber: Int? = nil, replayed: ReplayedRequest? = nil) {
        self.createdAt = createdAt
        self.position = position
        self.jobNumber = jobNumber
        self.replayed = replayed
    }

    package struct ReplayedRequest: Sendable, Hashable {
        package let correlationID: CorrelationID
        package let conversationID: ConversationID

        package init(correlationID: CorrelationID, conversationID: ConversationID) {
            self.correlationID = correlationID
            self.conversationID = conversationID
        }
    }
}

package enum PublishFailure: Error, Equatable {
    /// Too many jobs wait; nothing was written. The client may come back later.
    case queueFull
    /// Too many records wait for the archive; nothing was written. The client may come back later.
    case archiveBehind
    /// As many requests wait in the conversation as may; nothing was written.
    case conversationCrowded(limit: Int)
    /// The submission's name belongs to another meaning; nothing was written.
    case keyReused
    /// The conversation has a request that is not over, and the new one was not to wait; nothing was written.
    case conversationBusy
    /// The conversation was deleted or is another user's; nothing was written.
    case conversationNotFound
    /// Nothing is known here of a conversation that was only named: it may exist all the same. Nothing was written; the
    /// caller looks it up and publishes again.
    case conversationUnknown
    /// The store did not take the job. It was not acknowledged; whether it was written is unknown where the connection
    /// broke in the middle, and the client is told to try again.
    case unavailable
}

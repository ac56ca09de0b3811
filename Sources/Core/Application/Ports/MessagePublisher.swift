package import Domain
package import Shared

/// Enqueues accepted problems for the workers.
///
/// Delivery: once `publish` returns, at least once. The job, the request's record and its `queued` event are written
/// together or not at all. Order: first in, first out per partition, up to redelivery.
package protocol MessagePublisher {
    /// Enqueues the job; in a busy conversation ``SolveOptions/onBusy`` decides whether the request waits in the
    /// conversation's queue, interrupts the running one or is rejected.
    ///
    /// With `submission`, the repetition of an earlier one writes nothing and returns the earlier request.
    func publish(
        _ request: MathRequest,
        in conversation: ConversationStanding,
        as submission: IdempotentSubmission?
    ) async throws(PublishFailure) -> Publication

    /// Returns the earlier request that publishing `request` as `submission` would repeat; nil where there is none.
    ///
    /// Writes nothing. Throws `keyReused` or `unavailable`.
    func findEarlier(
        _ submission: IdempotentSubmission,
        for request: MathRequest
    ) async throws(PublishFailure) -> Publication?
}

/// The conversation of a new request, as the caller knows it.
package enum ConversationStanding: String, Sendable {
    /// The request creates it.
    case new
    /// The client named it: the publisher checks that it exists and is the user's.
    case named
    /// The client named it, and the archive has it as the user's.
    case confirmed
}

/// A submission that its client may repeat without a second job, for as long as the key is stored.
package struct IdempotentSubmission: Sendable, Hashable {
    /// Of the user and the client's key.
    package let name: Fingerprint
    /// Of the content: problem, conversation, provider and options.
    package let meaning: Fingerprint

    package init(name: Fingerprint, meaning: Fingerprint) {
        self.name = name
        self.meaning = meaning
    }
}

/// The result of an accepted submission.
package struct Publication: Sendable {
    /// The time of submission, by the store's clock.
    package let createdAt: Timestamp
    /// Position in the queue; 1 is next.
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
    /// The queue is full; nothing was written. The client may retry later.
    case queueFull
    /// Too many records wait for the archive; nothing was written. The client may retry later.
    case archiveBehind
    /// The conversation's queue is full; nothing was written.
    case conversationCrowded(limit: Int)
    /// The key was used for a submission with another content; nothing was written.
    case keyReused
    /// The conversation has an open request, and the new one must not wait; nothing was written.
    case conversationBusy
    /// The conversation was deleted or is another user's; nothing was written.
    case conversationNotFound
    /// The store does not know a ``ConversationStanding/named`` conversation, which may be in the archive. Nothing was
    /// written; the caller looks it up and publishes again.
    case conversationUnknown
    /// The store did not acknowledge the job. Whether it was written is unknown where the connection broke; the client
    /// retries.
    case unavailable
}

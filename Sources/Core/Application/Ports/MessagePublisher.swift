package import Domain
package import Shared

/// Hands accepted problems to the workers.
///
/// Delivery: once `publish` returns, at least once. The job, the request's record and its `queued` event are written
/// together or not at all. Order: first in, first out per partition, up to redelivery.
package protocol MessagePublisher {
    func publish(_ request: MathRequest) async throws(PublishFailure) -> Publication
}

/// What the queue says to a new job.
package struct Publication: Sendable {
    /// The moment of submission by the store's clock.
    package let createdAt: Timestamp
    /// Place in the waiting line; 1 is next.
    package let position: Int

    package init(createdAt: Timestamp, position: Int) {
        self.createdAt = createdAt
        self.position = position
    }
}

package enum PublishFailure: Error, Equatable {
    /// Too many jobs wait; nothing was written. The client may come back later.
    case queueFull
    /// The store did not take the job. It was not acknowledged; whether it was written is unknown where the connection
    /// broke in the middle, and the client is told to try again.
    case unavailable
}

package import Domain
package import Shared

/// A new request as its submission stored it.
package struct AcceptedRequest: Sendable {
    package let request: MathRequest
    /// The moment of submission by the store's clock.
    package let createdAt: Timestamp
    /// Place in the queue at that moment; 1 is next.
    ///
    /// It is the one in the request's `queued` event.
    package let position: Int
    /// The job's number in its queue, from which its later places follow; nil while the request waits in its
    /// conversation's queue.
    package let jobNumber: Int?

    package init(request: MathRequest, createdAt: Timestamp, position: Int, jobNumber: Int?) {
        self.request = request
        self.createdAt = createdAt
        self.position = position
        self.jobNumber = jobNumber
    }
}

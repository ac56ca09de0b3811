package import Domain
package import Shared

/// A job as the queue delivers it to a worker.
package struct JobDelivery: Sendable, Hashable {
    /// The queue's own id of the entry.
    package let entry: String
    package let correlationID: CorrelationID
    /// The provider that the client requested; in the job, so that a claim can name the provider without another read.
    package let requestedProvider: String?

    package init(entry: String, correlationID: CorrelationID, requestedProvider: String?) {
        self.entry = entry
        self.correlationID = correlationID
        self.requestedProvider = requestedProvider
    }
}

/// The result of a renewal of leases.
package struct LeaseReport: Sendable {
    /// Jobs that another worker owns by now: their attempts must stop.
    package var lost: [JobDelivery] = []
    /// Jobs whose cancellation was requested.
    package var cancelled: [(JobDelivery, CancelReason)] = []

    package init() {}
}

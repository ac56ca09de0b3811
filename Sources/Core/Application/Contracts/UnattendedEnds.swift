package import Domain
package import Shared

/// A request ended without a worker: by a call of the API, by a sweep or by its expiry.
package enum RequestEndedWithoutWorker: DomainEvent {
    /// With the time since its submission.
    case cancelled(CancelReason, after: Duration)
    /// No worker took it before the queue's store deleted it.
    case expired
    /// The queue cannot process it; with the time since its submission.
    case failed(CorrelationID, ProblemKind, after: Duration)
}

/// A request with `onDisconnect: cancel` was cancelled, or its worker asked to, because its viewers had disconnected.
package struct RequestAbandoned: DomainEvent {
    package let correlationID: CorrelationID

    package init(correlationID: CorrelationID) { self.correlationID = correlationID }
}

/// A request was ended because its job had been removed from the queue.
package struct OrphanEnded: DomainEvent {
    package let correlationID: CorrelationID

    package init(correlationID: CorrelationID) { self.correlationID = correlationID }
}

package import Shared

/// A problem was accepted and its job enqueued.
package struct MathProblemSubmitted: DomainEvent {
    package let correlationID: CorrelationID
    /// Position in the queue at that moment; 1 is next.
    package let position: Int
}

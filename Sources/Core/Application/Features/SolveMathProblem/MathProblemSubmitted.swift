package import Shared

/// A problem was accepted and its job written.
package struct MathProblemSubmitted: DomainEvent {
    package let correlationID: CorrelationID
    /// Place in the waiting line at that moment; 1 is next.
    package let position: Int
}

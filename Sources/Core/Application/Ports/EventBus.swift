/// A fact of the domain; the type's name is in the past tense.
package protocol DomainEvent: Sendable {}

/// Notifies listeners in the same process of domain events.
///
/// Delivery: at most once, in the order published, before `publish` returns. A listener cannot fail. Only observation
/// (metrics, logs) uses the bus; data that must not be lost is in the job stream and the event streams.
package protocol EventBus {
    func publish(_ event: some DomainEvent)
    func subscribe<Event: DomainEvent>(to _: Event.Type, _ listener: @escaping (Event) -> Void)
}

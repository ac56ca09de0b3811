package import Application

/// The event bus of one loop; a listener runs before `publish` returns.
///
/// Loop-owned.
package final class LocalEventBus: EventBus {
    private var listeners: [ObjectIdentifier: [(any DomainEvent) -> Void]] = [:]

    package init() {}

    package func publish(_ event: some DomainEvent) {
        for listener in listeners[ObjectIdentifier(type(of: event))] ?? [] { listener(event) }
    }

    package func subscribe<Event: DomainEvent>(to _: Event.Type, _ listener: @escaping (Event) -> Void) {
        listeners[ObjectIdentifier(Event.self), default: []].append { event in
            if let event = event as? Event { listener(event) }
        }
    }
}

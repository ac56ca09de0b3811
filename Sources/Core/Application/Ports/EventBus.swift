/// Tells whoever listens in this process what happened.
///
/// Delivery: at most once, in the order published, before `publish` returns; a listener cannot fail. Nothing that must
/// not be lost travels here: that is in the job and event streams.
package protocol EventBus {
    func publish(_ event: some DomainEvent)
    func subscribe<Event: DomainEvent>(to _: Event.Type, _ listener: @escaping (Event) -> Void)
}

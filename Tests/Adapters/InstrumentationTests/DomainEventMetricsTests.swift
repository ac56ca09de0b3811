import Application
import Domain
import Shared
import Telemetry
import TestSupport
import Testing

@testable import Instrumentation

/// Calls the listeners of a domain event.
private final class Bus: EventBus {
    private var listeners: [(any DomainEvent) -> Void] = []

    func publish(_ event: some DomainEvent) {
        for listener in listeners { listener(event) }
    }

    func subscribe<Event: DomainEvent>(to _: Event.Type, _ listener: @escaping (Event) -> Void) {
        listeners.append { if let event = $0 as? Event { listener(event) } }
    }
}

@Suite("Metrics of domain events", .tags(.unit))
struct DomainEventMetricsTests {
    private let bus = Bus()
    private let registry = MetricsRegistry()

    /// The samples that are not zero.
    private func samples(_ prefix: String) -> [String] {
        registry.render().split(separator: "\n").map { String($0) }
            .filter { $0.hasPrefix(prefix) && !$0.hasSuffix(" 0") }
    }

    @Test("a request that ended without a worker is counted by its end, a failed one also as a dead letter")
    func withoutWorker() {
        LemmaMetrics(registry).subscribe(to: bus)
        let id = CorrelationID(bits: UUIDBits(high: 1, low: 1))
        bus.publish(RequestEndedWithoutWorker.expired)
        bus.publish(RequestEndedWithoutWorker.cancelled(.disconnected, after: .seconds(1)))
        bus.publish(RequestEndedWithoutWorker.failed(id, .removedFromQueue, after: .seconds(1)))
        bus.publish(RequestEndedWithoutWorker.failed(id, .internalError, after: .seconds(1)))
        #expect(samples("lemma_requests_finished_total").count == 4)
        #expect(
            samples("lemma_dead_letters_total").sorted() == [
                #"lemma_dead_letters_total{reason="removed_from_queue"} 1"#,
                #"lemma_dead_letters_total{reason="unreadable"} 1"#,
            ]
        )
    }
}

import Application
import Domain
import Instrumentation
import Shared
import Telemetry
import Tracing

/// Logs the domain events that an operator looks for.
struct DomainEventLog {
    let logger: Logger

    func subscribe(to bus: any EventBus) {
        bus.subscribe(to: MathRequestFinished.self) { log($0) }
        bus.subscribe(to: RequestAbandoned.self) { event in
            logger.info("request abandoned by its viewers", fields(event.correlationID))
        }
        bus.subscribe(to: OrphanEnded.self) { event in
            logger.warning("request without a job ended", fields(event.correlationID))
        }
    }

    /// One line for each request.
    private func log(_ event: MathRequestFinished) {
        var fields: LogFields = [
            "correlation_id": .string(event.correlationID.description),
            "status": .string(event.outcome.status.rawValue),
            "attempt": .int(Int(event.attempt)), "provider": .string(event.provider),
            "queue_ms": .int(event.queueMilliseconds), "duration_ms": .int(event.durationMilliseconds),
            "input_tokens": .int(event.usage.inputTokens), "output_tokens": .int(event.usage.outputTokens),
        ]
        fields.add(event.trace.flatMap { TraceContext($0) })
        fields["first_token_ms"] = event.firstTokenMilliseconds.map { .int($0) }
        logger.info("request finished", fields)
    }

    private func fields(_ id: CorrelationID) -> LogFields { ["correlation_id": .string(id.description)] }
}

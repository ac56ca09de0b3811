package import Application
internal import Domain
internal import Instrumentation
package import Shared
package import Tracing

/// Records attempts as spans, by OpenTelemetry's semantic conventions for messaging.
///
/// The first attempt is a child of the span that submitted the request. Each redelivery begins a trace of its own, with links
/// to that span and to the previous attempt: it may follow minutes later, when the first trace is complete.
package struct AttemptTracer: AttemptTracing {
    private let tracer: Tracer?

    /// Without a tracer, the request's trace is forwarded unchanged.
    package init(_ tracer: Tracer?) { self.tracer = tracer }

    package func plan() -> TraceCarrier? { tracer?.plan().carrier }

    package func begin(_ claim: JobClaim, provider: String) -> any AttemptTrace {
        let submission = claim.request.trace.flatMap { TraceContext($0) }
        guard let tracer else { return ForwardedTrace(carrier: submission?.carrier) }
        let span: Span
        let planned = claim.trace.flatMap { TraceContext($0) }
        switch claim.cause {
        case .first: span = tracer.begin("process lemma.jobs", .consumer, parent: submission, at: planned)
        case .redriven, .workerLost, .handedOver, .providerFailed, .historyLost:
            let links = [submission, claim.earlierTrace.flatMap { TraceContext($0) }].compactMap { $0 }
            span = tracer.begin("process lemma.jobs", .consumer, links: links, at: planned)
        }
        guard span.isRecording else { return RecordedTrace(span) }
        span.describeJob(operation: "process")
        span.set("messaging.message.id", .string(claim.delivery.entry))
        span.set("lemma.correlation_id", .string(claim.request.correlationID.description))
        span.set("lemma.attempt", .int(Int(claim.attempt)))
        span.set("lemma.attempt.cause", .string(claim.cause.rawValue))
        span.set("lemma.attempt.provider", .string(provider))
        span.set("lemma.queue_ms", .int(claim.queueMilliseconds))
        return RecordedTrace(span)
    }
}

/// An attempt without a span; forwards the request's trace.
private final class ForwardedTrace: AttemptTrace {
    let carrier: TraceCarrier?
    init(carrier: TraceCarrier?) { self.carrier = carrier }
    func end(_ result: AttemptResult) {}
}

private final class RecordedTrace: AttemptTrace {
    private let span: Span
    init(_ span: Span) { self.span = span }

    var carrier: TraceCarrier? { span.context.carrier }

    func end(_ result: AttemptResult) {
        span.set("lemma.attempt.result", .string(result.rawValue))
        switch result {
        case .completed, .cancelled, .handedOver: break
        case .failed, .retryScheduled, .fenced, .leaseLost, .superseded, .historyLost, .expired, .stopped:
            span.fail(result.rawValue)
        }
        span.end()
    }
}

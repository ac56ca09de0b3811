internal import Application
internal import Domain
internal import Instrumentation
internal import Shared
package import Tracing

/// Records the calls of one provider as spans, by OpenTelemetry's semantic conventions for generative AI.
///
/// What is asked and answered is in none of them.
package struct CallTracing: Sendable {
    private let tracer: Tracer
    private let host: String?
    private let port: Int?

    /// `host` and `port` are where the provider is reached; nil for one that is part of this process.
    package init(_ tracer: Tracer, host: String?, port: Int?) {
        self.tracer = tracer
        self.host = host
        self.port = port
    }

    /// Begins the span of one call; `retry` is 0 for the first.
    func begin(_ request: ProviderRequest, of provider: ProviderIdentity, retry: Int) -> Span {
        let operation = GenAINames.operation(provider.name)
        let parent = request.attempt?.trace.flatMap { TraceContext($0) }
        let span = tracer.begin("\(operation) \(provider.model)", host == nil ? .internal : .client, parent: parent)
        guard span.isRecording else { return span }
        span.set("gen_ai.operation.name", .string(operation))
        span.set("gen_ai.provider.name", .string(GenAINames.provider(provider.name)))
        span.set("gen_ai.request.model", .string(provider.model))
        span.set("gen_ai.request.temperature", request.options.temperature.map { .double($0) })
        span.set("gen_ai.request.max_tokens", request.options.maxOutputTokens.map { .int($0) })
        span.set("gen_ai.output.type", "text")
        span.set("server.address", host.map { .string($0) })
        span.set("server.port", port.map { .int($0) })
        if retry > 0 { span.set("lemma.provider.retry", .int(retry)) }
        if let attempt = request.attempt {
            span.set("lemma.correlation_id", .string(attempt.correlationID.description))
            span.set("lemma.attempt", .int(Int(attempt.number)))
        }
        return span
    }

    /// Ends a call's span.
    static func end(
        _ span: Span,
        _ result: Result<FinishReason, ProviderFailure>,
        _ outcome: ProviderOutcome,
        _ account: ProviderAccount
    ) {
        let usage = account.usage
        span.set("gen_ai.response.model", account.answeringModel.map { .string($0) })
        span.set("gen_ai.usage.input_tokens", .int(usage.inputTokens))
        span.set("gen_ai.usage.output_tokens", .int(usage.outputTokens))
        span.set("gen_ai.usage.reasoning.output_tokens", usage.reasoningTokens.map { .int($0) })
        if usage.isEstimated { span.set("lemma.usage.estimated", true) }
        if case .success(let reason) = result {
            span.set("gen_ai.response.finish_reasons", .strings([reason.rawValue]))
        }
        switch outcome {
        case .completed: break
        // What we end ourselves has not failed.
        case .cancelled, .outrun: span.set("lemma.provider.outcome", .string(outcome.rawValue))
        case .timedOut, .failed, .busy, .refused, .rejected: span.fail(outcome.rawValue)
        }
        span.end()
    }
}

extension ProviderRequest {
    /// The same request with the calls' spans inside `context`.
    func within(_ context: TraceContext) -> ProviderRequest {
        guard let attempt else { return self }
        return ProviderRequest(
            problem: problem,
            options: options,
            context: self.context,
            attempt: AttemptName(
                correlationID: attempt.correlationID,
                number: attempt.number,
                trace: context.carrier,
            ),
        )
    }
}

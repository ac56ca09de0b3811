package import Application
package import Domain
package import HTTPClient
internal import Shared

/// A provider that is reached over HTTP and streams server-sent events, in whatever dialect.
package struct RemoteClient: AIStreamingClient {
    /// The whole response, whose framing is far larger than its text.
    private static let responseBytesMax = 256 << 20

    private let dialect: any ProviderDialect
    private let transport: HTTPTransport
    private let connectTimeout: Duration
    private let shape: RequestShape
    private let sendsTrace: Bool

    /// `connectTimeout` is for looking up the name, connecting and the handshake; all other limits are the caller's.
    ///
    /// `shape` remembers what the provider refuses, for all clients that have it; with `sendsTrace` the provider is sent a
    /// `traceparent`.
    package init(
        _ dialect: any ProviderDialect,
        transport: HTTPTransport,
        connectTimeout: Duration,
        shape: RequestShape = RequestShape(),
        sendsTrace: Bool = false
    ) {
        self.dialect = dialect
        self.transport = transport
        self.connectTimeout = connectTimeout
        self.shape = shape
        self.sendsTrace = sendsTrace
    }

    package var identity: ProviderIdentity { dialect.identity }

    package func stream(
        _ request: ProviderRequest,
        into sink: any AnswerSink
    ) async throws(ProviderFailure) -> FinishReason {
        let omitted = shape.leftOut
        let answer = RemoteAnswer(dialect, into: sink)
        do throws(ProviderFailure) {
            let reason = try await perform(httpRequest(for: request, without: omitted), answer)
            shape.confirm(withheld(omitted, from: request))
            return reason
        } catch {
            throw adapt(to: answer, after: error, request, without: omitted)
        }
    }

    private func perform(
        _ httpRequest: HTTPClientRequest,
        _ answer: RemoteAnswer
    ) async throws(ProviderFailure) -> FinishReason {
        do throws(HTTPClientError) {
            try await transport.perform(httpRequest) { head in
                answer.begin(head)
            } onBody: { bytes in
                answer.take(bytes)
            } waitForRoom: {
                (try? await answer.waitForRoom()) != nil
            }
        } catch {
            return try answer.end(error)
        }
        return try answer.end(nil)
    }

    /// Leaves out what was refused, where that may be the cause of `failure`; an option whose value was refused is left
    /// out of this request only.
    private func adapt(
        to answer: RemoteAnswer,
        after failure: ProviderFailure,
        _ request: ProviderRequest,
        without omitted: Set<RequestPart>
    ) -> ProviderFailure {
        guard let refusal = answer.refusal else { return failure }
        let sent = dialect.parts(for: request, without: omitted)
        let cause = refusal.parts.cause(status: refusal.status, sent: sent)
        guard cause.isEmpty else {
            let values = cause.filter { $0.isOption && !refusal.parts.areUnsupported }
            shape.tryWithout(cause.subtracting(values))
            return RemoteFailure(provider: identity.name).adapted(cause, request.options.without(values))
        }
        if [400, 422].contains(refusal.status) { shape.restore(withheld(omitted, from: request)) }
        return failure
    }

    /// The parts of `omitted` that `request` would have: its response says nothing about the others.
    private func withheld(_ omitted: Set<RequestPart>, from request: ProviderRequest) -> Set<RequestPart> {
        omitted.filter { dialect.parts(for: request, without: omitted.subtracting([$0])).contains($0) }
    }

    private func httpRequest(
        for request: ProviderRequest,
        without omitted: Set<RequestPart>
    ) -> HTTPClientRequest {
        var http = dialect.httpRequest(for: request, without: omitted)
        http.headers += [("Content-Type", "application/json"), ("Accept", "text/event-stream, application/json")]
        if let attempt = request.attempt {
            http.headers.append(("X-Correlation-ID", attempt.correlationID.description))
            // `tracestate` belongs to the client's own systems: it is not sent.
            if sendsTrace, let trace = attempt.trace { http.headers.append(("traceparent", trace.parent)) }
        }
        http.timeouts.connect = connectTimeout
        http.timeouts.idle = nil
        http.limits.bodyBytesMax = Self.responseBytesMax
        return http
    }
}

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

    /// `connectTimeout` is for looking up the name, connecting and the handshake; all other limits are the caller's.
    package init(_ dialect: any ProviderDialect, transport: HTTPTransport, connectTimeout: Duration) {
        self.dialect = dialect
        self.transport = transport
        self.connectTimeout = connectTimeout
    }

    package var identity: ProviderIdentity { dialect.identity }

    package func stream(_ question: Question, into sink: any AnswerSink) async throws(ProviderFailure) -> FinishReason {
        let answer = RemoteAnswer(dialect, into: sink)
        do throws(HTTPClientError) {
            try await transport.perform(request(question)) { head in
                answer.begin(head)
            } onBody: { bytes in
                answer.take(bytes)
            } waitForRoom: {
                (try? await sink.waitForRoom()) != nil
            }
        } catch {
            return try answer.end(error)
        }
        return try answer.end(nil)
    }

    private func request(_ question: Question) -> HTTPClientRequest {
        var request = dialect.request(for: question)
        request.headers += [("Content-Type", "application/json"), ("Accept", "text/event-stream, application/json")]
        if let attempt = question.attempt {
            request.headers.append(("X-Correlation-ID", attempt.correlationID.description))
            if let trace = attempt.trace {
                request.headers.append(("traceparent", trace.parent))
                if let state = trace.state { request.headers.append(("tracestate", state)) }
            }
        }
        request.timeouts.connect = connectTimeout
        request.timeouts.idle = nil
        request.limits.bodyBytesMax = Self.responseBytesMax
        return request
    }
}

internal import Application
internal import HTTPServer
internal import Instrumentation
internal import Shared
package import Telemetry

/// Logs one line for each response; for a stream, when it begins.
///
/// Success is logged at `debug`: at thousands of requests a second it would be most of the log, and the metrics count it.
/// Client errors and refusals for lack of capacity are logged at `info`, server errors at `error`. Path and query are
/// never logged: a query can hold a ticket.
package struct AccessLog: Sendable {
    private let logger: Logger
    private let clients: ClientAddress

    package init(_ logger: Logger, clients: ClientAddress) {
        self.logger = logger
        self.clients = clients
    }

    func note(_ request: ObservedRequest, _ status: Int, _ headers: HTTPFields, _ problem: ProblemKind?) {
        logger.log(Self.level(status), "request answered", fields(request, status, headers, problem))
    }

    /// Logs a request that the HTTP server rejected before it reached a pipeline.
    package func noteRefusal(status: Int, detail: String, requestID: String) {
        logger.log(
            Self.level(status),
            "request refused",
            ["status": .int(status), "request_id": .string(requestID), "error": .string(detail)],
        )
    }

    private static func level(_ status: Int) -> LogLevel {
        switch status {
        case ..<400: .debug
        case 500, 502, 504: .error
        default: .info
        }
    }

    private func fields(
        _ observed: ObservedRequest,
        _ status: Int,
        _ headers: HTTPFields,
        _ problem: ProblemKind?
    ) -> LogFields {
        let request = observed.request
        var fields: LogFields = [
            "method": .string(request.method.name), "route": .string(observed.route), "status": .int(status),
            "duration_ms": .milliseconds(.now - observed.startedAt), "client_address": .string(clients.of(request)),
        ]
        fields["request_id"] = observed.requestID.map { .string($0) }
        fields["correlation_id"] = headers.entries.first { $0.name == "X-Correlation-ID" }.map { .string($0.value) }
        // The client's own correlation id; Lemma's is another.
        let theirs = try? request.visibleHeader("X-Correlation-ID", max: 128)
        fields["client_correlation_id"] = theirs.map { .string($0) }
        fields.add(observed.trace.context)
        fields["error"] = problem.map { .string($0.rawValue) }
        return fields
    }
}

internal import Application
internal import HTTPServer
internal import Instrumentation
internal import Shared
package import Telemetry

/// One line for each request that is answered; for a stream, when it begins.
///
/// What went well is told at `debug`: at thousands of requests a second it would be most of the log, and metrics tell it
/// too. What the client did wrong and what we have no room for is told at `info`, our own mistakes at `error`. Neither
/// path nor query is told: there are tickets in it.
package struct AccessLog: Sendable {
    private let logger: Logger
    private let clients: ClientAddress

    package init(_ logger: Logger, clients: ClientAddress) {
        self.logger = logger
        self.clients = clients
    }

    func note(_ context: RequestContext, _ status: Int, _ headers: HTTPFields) {
        logger.log(Self.level(status), "request answered", fields(context, status, headers))
    }

    /// Tells of a request that the server itself refused, as it could not be read.
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

    private func fields(_ context: RequestContext, _ status: Int, _ headers: HTTPFields) -> LogFields {
        let request = context.request
        var fields: LogFields = [
            "method": .string(request.method.name), "route": .string(context.route), "status": .int(status),
            "duration_ms": .milliseconds(.now - context.startedAt), "request_id": .string(context.requestID),
            "client_address": .string(clients.of(request)),
        ]
        fields["correlation_id"] = headers.entries.first { $0.name == "X-Correlation-ID" }.map { .string($0.value) }
        // The client's own name for what it does, which is none of ours.
        let theirs = try? RequestContext.visible("X-Correlation-ID", max: 128, in: request)
        fields["client_correlation_id"] = theirs.map { .string($0) }
        fields.add(context.trace.context)
        fields["error"] = context.problem.map { .string($0.rawValue) }
        return fields
    }
}

internal import Application
internal import HTTPServer
internal import Shared
internal import Time

/// `POST /api/auth/ticket`: a fresh ticket for the stream of one of the caller's requests, such as for a page that
/// reopens an old conversation.
struct TicketRoute {
    private struct Body: Decodable {
        let correlationId: String?
    }

    let services: APIServices

    func handle(_ caller: Caller, _ context: RequestContext) async throws(APIProblem) {
        guard let text = try context.bodyIfPresent(as: Body.self)?.correlationId else {
            let message = "is required: the id of the request whose stream the ticket is for"
            throw .invalid(ValidationFailure([.init(field: "correlationId", message: message)]))
        }
        guard let id = CorrelationID(text) else {
            throw APIProblem(.malformedRequest, "correlationId must be a UUID.")
        }
        try await check(id, caller)
        let ticket = services.tokens.issueTicket(for: id, user: caller.user, key: caller.key)
        let json = JSONWriter.object { json in
            json.member("ticket", ticket)
            json.member("streamUrl", "/api/math/stream/\(id)?ticket=\(ticket)")
            json.member("expiresIn", Int(services.ticketLifetime.wholeSeconds))
        }
        context.respond(status: 200, headers: ["X-Correlation-ID": id.description], json: json)
    }

    /// Throws what the stream itself would answer to the caller's access token.
    private func check(_ id: CorrelationID, _ caller: Caller) async throws(APIProblem) {
        do {
            _ = try await services.watch.handle(
                WatchAnswer(correlationID: id, userID: caller.user, cursor: nil, isKnown: false)
            )
        } catch {
            switch error {
            case .notFound: throw .unknownRequest
            case .gone: throw .goneRequest
            case .unavailable: throw .storeUnavailable
            }
        }
    }
}

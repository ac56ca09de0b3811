internal import Application
internal import Domain
internal import HTTPServer
internal import Instrumentation
internal import Shared
internal import Telemetry

/// `POST /api/math/solve`.
struct SolveRoute {
    let services: APIServices

    func handle(_ context: RequestContext) async throws(Problem) {
        let user = try services.authentication.user(of: context.request)
        let accepted = AcceptedTypes(context.request.headers["Accept"])
        let wantsStream =
            accepted.names("text/event-stream")
            && accepted.quality(of: "text/event-stream") >= accepted.quality(of: "application/json")
        guard wantsStream || accepted.quality(of: "application/json") > 0 else {
            throw Problem(.notAcceptable, "The answer can be application/json or text/event-stream.")
        }
        let input = try SolveBody.input(from: context.request)
        let output = try await submit(SolveMathProblem(userID: user, input: input))
        let id = output.request.correlationID
        if wantsStream {
            try await StreamRoute(services: services).open(id, user: user, cursor: nil, isKnown: true, context)
        } else if let limit = preferredWait(context.request.headers["Prefer"]),
            let finished = try await RequestRoutes(services: services).finished(id, user, within: limit, context)
        {
            context.respond(status: 200, headers: Self.headers(id), json: finished)
        } else {
            context.respond(status: 202, headers: Self.headers(id), json: accepted202(output))
        }
    }

    private func submit(_ command: SolveMathProblem) async throws(Problem) -> SolveMathProblem.Output {
        do {
            return try await services.solve.handle(command)
        } catch {
            switch error {
            case .invalid(let failure): throw .invalid(failure)
            case .conversationNotFound: throw Problem(.notFound, "There is no such conversation.")
            case .queueFull:
                services.metrics.refusedQueueFull.increment()
                var problem = Problem(.queueFull, "Too many problems are waiting. Please try again in a moment.")
                problem.headers.append(("Retry-After", String(Problem.retryAfterSeconds)))
                throw problem
            case .unavailable:
                services.metrics.refusedUnavailable.increment()
                throw .storeUnavailable
            }
        }
    }

    static func headers(_ id: CorrelationID) -> HTTPFields {
        ["Location": "/api/math/requests/\(id)", "X-Correlation-ID": id.description]
    }

    private func accepted202(_ output: SolveMathProblem.Output) -> [UInt8] {
        let request = output.request
        let ticket = services.tokens.issueTicket(for: request.correlationID, user: request.userID)
        return JSONWriter.object { json in
            json.member("correlationId", request.correlationID.description)
            json.member("conversationId", request.conversationID.description)
            json.member("status", RequestStatus.queued.rawValue)
            json.member("streamUrl", "/api/math/stream/\(request.correlationID)?ticket=\(ticket)")
            json.member("createdAt", output.publication.createdAt.description)
        }
    }
}

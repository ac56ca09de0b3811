internal import Application
internal import Domain
internal import HTTPServer
internal import Instrumentation
internal import Shared
internal import Telemetry
internal import Tracing

/// `POST /api/math/solve`.
struct SolveRoute {
    let services: APIServices

    func handle(_ caller: Caller, _ context: RequestContext) async throws(APIProblem) {
        let accepted = AcceptedTypes(context.request.headers["Accept"])
        let wantsStream = accepted.prefers("text/event-stream", to: "application/json")
        guard wantsStream || accepted.accepts("application/json") else {
            throw APIProblem(.notAcceptable, "The answer can be application/json or text/event-stream.")
        }
        let key = try context.visibleHeader("Idempotency-Key", max: 255)
        let input = try SolveBody.input(from: context)
        let output: SolveMathProblem.Output
        do throws(APIProblem) {
            output = try await publish(by: context) { trace throws(APIProblem) in
                try await submit(
                    SolveMathProblem(
                        submitter: Submitter(caller, address: services.clients.of(context.request)),
                        input: input,
                        idempotencyKey: key,
                        trace: trace,
                    )
                )
            }
        } catch {
            services.audit.record(.submit, preventedBy: error, by: caller, context)
            throw error
        }
        let id = output.correlationID
        if !output.isReplay { services.audit.record(.submit, by: caller, context, subject: id.description) }
        try await respond(output, wantsStream: wantsStream, to: caller, context)
    }

    private func respond(
        _ output: SolveMathProblem.Output,
        wantsStream: Bool,
        to caller: Caller,
        _ context: RequestContext
    ) async throws(APIProblem) {
        if wantsStream {
            let streams = StreamRoute(services: services)
            if let accepted = output.accepted {
                return streams.open(accepted, for: caller, headers: Self.headers(output), context)
            }
            let headers = Self.headers(output)
            let id = output.correlationID
            return try await streams.open(id, for: caller, cursor: nil, isKnown: true, headers: headers, context)
        }
        if let limit = preferredWait(context.request.headers["Prefer"]) {
            let requests = RequestRoutes(services: services)
            if let finished = try await requests.finished(output, caller, within: limit, context) {
                return context.respond(status: 200, headers: Self.headers(output), json: finished)
            }
        }
        context.respond(status: 202, headers: Self.headers(output), json: accepted202(output, caller))
    }

    /// Submits as a span of its own, by OpenTelemetry's semantic conventions for messaging: what the first attempt
    /// continues.
    private func publish(
        by context: RequestContext,
        _ submit: (TraceCarrier?) async throws(APIProblem) -> SolveMathProblem.Output
    ) async throws(APIProblem) -> SolveMathProblem.Output {
        guard let tracer = services.tracer else { return try await submit(context.trace.context?.carrier) }
        let span = tracer.begin("send lemma.jobs", .producer, parent: context.trace.context)
        span.describeJob(operation: "send")
        do {
            let output = try await submit(span.context.carrier)
            // A replay sends nothing: its span never ends, and so is never recorded.
            guard !output.isReplay else { return output }
            span.set("lemma.correlation_id", .string(output.correlationID.description))
            span.end()
            return output
        } catch {
            span.fail(error.kind.rawValue)
            span.end()
            throw error
        }
    }

    private func submit(_ command: SolveMathProblem) async throws(APIProblem) -> SolveMathProblem.Output {
        do {
            return try await services.solve.handle(command)
        } catch {
            switch error {
            case .invalid(let failure): throw .invalid(failure)
            case .conversationNotFound: throw APIProblem(.notFound, "There is no such conversation.")
            case .conversationBusy:
                throw APIProblem(
                    .conversationBusy,
                    "The conversation's last problem is still being solved. Wait for its end, or choose another onBusy.",
                )
            case .idempotencyKeyReused:
                throw APIProblem(
                    .idempotencyKeyReused,
                    "This Idempotency-Key was used for another problem. Use a new one."
                )
            case .queueFull:
                var problem = APIProblem(.queueFull, "Too many problems are waiting. Please try again in a moment.")
                problem.headers.append(("Retry-After", String(APIProblem.retryAfterSeconds)))
                throw problem
            case .limited(let reached): throw .limitReached(reached)
            case .conversationCrowded(let limit):
                throw .conversationCrowded(limit)
            case .archiveBehind:
                throw .storeUnavailable("Too many answers wait to be saved. Please try again in a moment.")
            case .unavailable:
                throw .storeUnavailable
            }
        }
    }

    static func headers(_ id: CorrelationID) -> HTTPFields {
        ["Location": "/api/math/requests/\(id)", "X-Correlation-ID": id.description]
    }

    private static func headers(_ output: SolveMathProblem.Output) -> HTTPFields {
        var headers = headers(output.correlationID)
        if output.isReplay { headers.append("Idempotency-Replayed", "true") }
        for (name, value) in output.rate.map({ RateLimitFields($0).entries }) ?? [] { headers.append(name, value) }
        return headers
    }

    private func accepted202(_ output: SolveMathProblem.Output, _ caller: Caller) -> [UInt8] {
        let id = output.correlationID
        let ticket = services.tokens.issueTicket(for: id, user: caller.user, key: caller.key)
        return JSONWriter.object { json in
            json.member("correlationId", id.description)
            json.member("conversationId", output.conversationID.description)
            json.member("status", RequestStatus.queued.rawValue)
            json.member("streamUrl", "/api/math/stream/\(id)?ticket=\(ticket)")
            json.member("createdAt", output.createdAt.description)
        }
    }
}

extension Submitter {
    fileprivate init(_ caller: Caller, address: String) {
        let key: Key? =
            switch caller.credential {
            case .apiKey(let id, let limits): Key(id: id, limits: limits)
            case .none, .ticket, .accessToken: nil
            }
        self.init(user: caller.user, key: key, address: address)
    }
}

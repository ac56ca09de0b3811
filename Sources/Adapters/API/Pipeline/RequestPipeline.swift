internal import Domain
internal import EventLoop
package import HTTPServer
internal import Shared

/// Answers the requests of one listener on one loop: every request goes the same way.
///
/// ```
///  head, body to come ──► precheck ── 413 404 405 401 ──► response, connection closed
///                            │ none of these: read the body
///                            ▼
///  request ──► 1 trace ──► 2 identify ──► 3 limit ──► 4 handle ──► 5 count and log ──► response
///                │            │ 401          │ 429       │ problem       ▲
///                │ 400 404    ▼              ▼           ▼               │
///                └─405────────┴──────────────┴───────────┴───────────────┘
/// ```
/// 1. ``RequestObserver`` names the request (`X-Request-ID`) and begins its span; ``RouteTable`` finds its route.
/// 2. ``Authenticator`` makes the ``Caller``, by the route's ``AccessPolicy``.
/// 3. ``RequestLimiter`` admits the caller, by the route's ``LimitClass``.
/// 4. The route's handler responds through the ``RequestContext``.
/// 5. ``ObservedRequest`` counts, logs and traces the response's head, whichever stage made it.
///
/// A stream passes through the stages once, when it begins; its events do not.
package final class RequestPipeline: HTTPHandler {
    /// What the head of a request leads to.
    private enum Destination {
        case route(Route, parameter: Substring?)
        case preflight
        case problem(APIProblem)

        var label: String {
            switch self {
            case .route(let route, _): route.label
            case .preflight: "preflight"
            case .problem: "none"
            }
        }
    }

    let routes: RouteTable
    private let stages: PipelineStages

    init(_ routes: RouteTable, _ stages: PipelineStages) {
        self.routes = routes
        self.stages = stages
        for route in routes.routes {
            let isOpen = route.access == .open
            precondition(isOpen || stages.authenticator != nil, "a route that is not open needs an authenticator")
            stages.observer?.prepare(route)
        }
    }

    package func handle(_ request: HTTPRequest, _ exchange: HTTPExchange) {
        let id = RequestID(request)
        let destination = destination(of: request, id)
        let observed = observe(request, id, destination, isSecure: exchange.isSecure)
        switch destination {
        case .route(let route, let parameter):
            run(route, RequestContext(observed, exchange, parameter: parameter))
        case .preflight:
            let context = RequestContext(observed, exchange, parameter: nil)
            context.respond(CrossOriginPolicy.preflight)
        case .problem(let problem):
            let context = RequestContext(observed, exchange, parameter: nil)
            context.respond(problem)
        }
    }

    /// The limit of the request's route, which the HTTP server enforces while the body arrives.
    package func bodyBytesMax(of head: HTTPRequest) -> Int? {
        switch routes.match(head.method, head.path) {
        case .found(let route, _): route.body.bytes
        case .otherMethods, .none: nil
        }
    }

    /// Rejects what the head alone decides before a long body is sent or read: an unknown path, another method, missing or
    /// unusable credentials.
    ///
    /// A short body is read: that costs less than the new connection that the client needs after this response.
    package func refusal(beforeBodyOf head: HTTPRequest) -> HTTPResponse? {
        // A chunked body announces no length; it may be long.
        let bytes = head.headers["Content-Length"].flatMap { Int($0) }
        guard (bytes ?? .max) > BodyLimit.shortBytes || head.headers["Expect"] != nil else { return nil }
        let id = RequestID(head)
        let destination = destination(of: head, id)
        let problem: APIProblem
        switch destination {
        case .preflight: return nil
        case .problem(let found): problem = found
        case .route(let route, let parameter):
            guard route.access.needsAuthorization, let authenticator = stages.authenticator else { return nil }
            do throws(APIProblem) {
                try authenticator.precheck(head)
                return nil
            } catch {
                problem = error.about(route, parameter)
            }
        }
        return observe(head, id, destination, isSecure: nil).completing(problem)
    }

    private func destination(of request: HTTPRequest, _ id: RequestID) -> Destination {
        if case .invalid(let problem) = id { return .problem(problem) }
        if stages.crossOrigin != nil, CrossOriginPolicy.isPreflight(request) { return .preflight }
        switch routes.match(request.method, request.path) {
        case .found(let route, let parameter): return .route(route, parameter: parameter)
        case .otherMethods(let methods): return .problem(.otherMethods(methods, than: request.method))
        case .none: return .problem(APIProblem(.notFound, routes.unknownPath))
        }
    }

    private func observe(
        _ request: HTTPRequest,
        _ id: RequestID,
        _ destination: Destination,
        isSecure: Bool?
    ) -> ObservedRequest {
        ObservedRequest(
            request,
            route: destination.label,
            requestID: id,
            isSecure: isSecure,
            crossOriginHeaders: stages.crossOrigin?.headers(for: request) ?? [],
            observer: stages.observer,
        )
    }

    /// Stages 2 to 4, in a task: each of them may wait.
    private func run(_ route: Route, _ context: RequestContext) {
        stages.loop.spawn { [self] in
            do throws(APIProblem) {
                let caller = try await identify(route, context)
                if route.limit != .free { try await stages.limiter.admit(route.limit, caller, context.request) }
                try await route.handler(caller, context)
            } catch {
                context.respond(error.about(route, context.parameter))
            }
        }
    }

    private func identify(_ route: Route, _ context: RequestContext) async throws(APIProblem) -> Caller {
        guard let authenticator = stages.authenticator else { return .anonymous }
        let caller: Caller
        switch route.access {
        case .open: return .anonymous
        case .withoutKey:
            try Self.rejectKey(of: context.request)
            return .anonymous
        case .withoutKeyOrAdmin:
            try Self.rejectKey(of: context.request)
            return await administrator(of: context.request, authenticator) ?? .anonymous
        case .caller, .person, .account, .admin: caller = try await authenticator.caller(of: context.request)
        case .ticketOrCaller:
            caller = try await authenticator.viewer(of: try context.identifier(), in: context.request)
        }
        try route.access.check(caller)
        if route.access == .admin {
            guard try await authenticator.currentRoles(of: caller).contains(.admin) else { throw .adminOnly }
        }
        return caller
    }

    private static func rejectKey(of request: HTTPRequest) throws(APIProblem) {
        if case .apiKey = Credential(request.headers["Authorization"]) { throw .keyForbidden }
    }

    /// Nil where the request does not prove that an administrator sends it.
    private func administrator(of request: HTTPRequest, _ authenticator: any Authenticator) async -> Caller? {
        guard request.headers["Authorization"] != nil else { return nil }
        do throws(APIProblem) {
            let caller = try await authenticator.caller(of: request)
            try AccessPolicy.admin.check(caller)
            return try await authenticator.currentRoles(of: caller).contains(.admin) ? caller : nil
        } catch {
            return nil
        }
    }
}

/// What a pipeline uses besides its routes; one set for each listener and loop.
struct PipelineStages {
    let loop: Loop
    /// Nil for a listener all of whose routes are open.
    let authenticator: (any Authenticator)?
    let limiter: any RequestLimiter
    /// Nil for a listener that browsers do not use.
    let crossOrigin: CrossOriginPolicy?
    /// Nil for a listener whose requests are neither named, traced, counted nor logged: probes and scrapers come every
    /// few seconds.
    let observer: RequestObserver?
}

extension APIProblem {
    /// The problem with the correlation id that the path of a request under `/api/math/` names.
    fileprivate func about(_ route: Route, _ parameter: Substring?) -> APIProblem {
        guard correlationID == nil, route.label.hasPrefix("/api/math/"), let parameter else { return self }
        var problem = self
        problem.correlationID = CorrelationID(parameter)
        return problem
    }
}

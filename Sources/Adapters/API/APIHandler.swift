internal import Application
internal import Domain
internal import EventLoop
package import HTTPServer
internal import Instrumentation
internal import Shared
internal import Telemetry

/// Answers the public listener's requests on one loop.
package final class APIHandler: HTTPHandler {
    private enum Endpoint {
        case solve
        case readRequest
        case cancelRequest
        case stream
        case createConversation
        case listConversations
        case readConversation
        case renameConversation
        case deleteConversation
        case listMessages
    }

    private let services: APIServices
    private let cors: CrossOriginPolicy
    private let router: Router<Endpoint>
    private var responseCounters: [String: Counter] = [:]

    package init(services: APIServices) {
        self.services = services
        cors = CrossOriginPolicy(origins: services.corsOrigins)
        var router = Router<Endpoint>()
        router.add(.post, "/api/math/solve", .solve)
        router.add(.get, "/api/math/requests/{id}", .readRequest)
        router.add(.delete, "/api/math/requests/{id}", .cancelRequest)
        router.add(.get, "/api/math/stream/{id}", .stream)
        router.add(.post, "/api/conversations", .createConversation)
        router.add(.get, "/api/conversations", .listConversations)
        router.add(.get, "/api/conversations/{id}", .readConversation)
        router.add(.patch, "/api/conversations/{id}", .renameConversation)
        router.add(.delete, "/api/conversations/{id}", .deleteConversation)
        router.add(.get, "/api/conversations/{id}/messages", .listMessages)
        self.router = router
        for (method, pattern) in router.patterns {
            services.metrics.http.prepare(method: method.name, route: pattern)
        }
        services.metrics.http.prepare(method: HTTPMethod.get.name, route: "/")
    }

    private func answer(_ endpoint: Endpoint, _ context: RequestContext) async throws(APIProblem) {
        switch endpoint {
        case .solve: try await SolveRoute(services: services).handle(context)
        case .readRequest: try await RequestRoutes(services: services).read(context)
        case .cancelRequest: try await RequestRoutes(services: services).cancel(context)
        case .stream: try await StreamRoute(services: services).handle(context)
        case .createConversation: try await ConversationRoutes(services: services).create(context)
        case .listConversations: try await ConversationRoutes(services: services).list(context)
        case .readConversation: try await ConversationRoutes(services: services).read(context)
        case .renameConversation: try await ConversationRoutes(services: services).rename(context)
        case .deleteConversation: try await ConversationRoutes(services: services).delete(context)
        case .listMessages: try await ConversationRoutes(services: services).messages(context)
        }
    }

    package func handle(_ request: HTTPRequest, _ exchange: HTTPExchange) {
        let made = services.identifiers.make(CorrelationID.self).description
        do throws(APIProblem) {
            let own = try RequestContext.visible("X-Request-ID", max: 128, in: request)
            try dispatch(request, exchange, requestID: own ?? made)
        } catch {
            context(request, exchange, requestID: made, route: "none").respond(error)
        }
    }

    private func dispatch(_ request: HTTPRequest, _ exchange: HTTPExchange, requestID: String) throws(APIProblem) {
        if request.method == .options, cors.isPreflight(request) {
            let context = context(request, exchange, requestID: requestID, route: "preflight")
            return context.respond(cors.preflight(request))
        }
        switch router.match(request.method, request.path) {
        case .found(let endpoint, let route, let parameter):
            run(endpoint, context(request, exchange, requestID: requestID, route: route, parameter: parameter))
        case .otherMethods(let methods):
            let problem = APIProblem.otherMethods(methods, than: request.method)
            context(request, exchange, requestID: requestID, route: "none").respond(problem)
        case .none:
            page(request, context(request, exchange, requestID: requestID, route: "/"))
        }
    }

    /// Starts the answer on this loop; it is given before this returns unless it has to wait.
    private func run(_ endpoint: Endpoint, _ context: RequestContext) {
        services.loop.spawn {
            do throws(APIProblem) {
                try await self.answer(endpoint, context)
            } catch {
                var problem = error
                if context.route.hasPrefix("/api/math/") {
                    problem.correlationID = problem.correlationID ?? context.parameter.flatMap { CorrelationID($0) }
                }
                context.respond(problem)
            }
        }
    }

    private func page(_ request: HTTPRequest, _ context: RequestContext) {
        let name =
            switch request.path {
            case "/": "index.html"
            case let path where path.hasPrefix("/assets/"): String(path.dropFirst("/assets/".count))
            case _: ""
            }
        do throws(APIProblem) {
            guard !name.isEmpty else { throw APIProblem(.notFound, "There is nothing at this path.") }
            guard request.method == .get || request.method == .head else {
                throw .otherMethods([.get, .head], than: request.method)
            }
            try PageRoute(assets: services.assets).respond(name, context)
        } catch {
            context.respond(error)
        }
    }

    private func context(
        _ request: HTTPRequest,
        _ exchange: HTTPExchange,
        requestID: String,
        route: String,
        parameter: Substring? = nil
    ) -> RequestContext {
        RequestContext(
            request: request,
            exchange: exchange,
            requestID: requestID,
            route: route,
            parameter: parameter,
            trace: RequestTrace(request, isSecure: exchange.isSecure, route: route, tracer: services.tracer),
            extraHeaders: cors.headers(for: request),
        ) { [weak self] context, status, headers in
            guard let self else { return }
            counter(context, status).increment()
            services.accessLog.note(context, status, headers)
        }
    }

    private func counter(_ context: RequestContext, _ status: Int) -> Counter {
        let method = context.request.method.label
        let key = "\(method) \(status) \(context.route)"
        if let counter = responseCounters[key] { return counter }
        let counter = services.metrics.http.responses(method: method, route: context.route, status: status)
        responseCounters[key] = counter
        return counter
    }
}

extension HTTPMethod {
    /// One of a closed set, for metrics.
    package var label: String {
        if case .other = self { "other" } else { name }
    }
}

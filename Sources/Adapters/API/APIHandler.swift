internal import Application
internal import Domain
internal import EventLoop
package import HTTPServer
internal import Instrumentation
internal import Shared
internal import Telemetry

/// Answers the public listener's requests on one loop.
package final class APIHandler: HTTPHandler {
    private typealias Action = (RequestContext) async throws(Problem) -> Void

    private let services: APIServices
    private let cors: CrossOriginPolicy
    private var router = Router<Action>()
    private var responseCounters: [String: Counter] = [:]

    package init(services: APIServices) {
        self.services = services
        cors = CrossOriginPolicy(origins: services.corsOrigins)
        let solve = SolveRoute(services: services)
        let requests = RequestRoutes(services: services)
        let streams = StreamRoute(services: services)
        router.add(.post, "/api/math/solve") { context throws(Problem) in try await solve.handle(context) }
        router.add(.get, "/api/math/requests/{id}") { context throws(Problem) in try await requests.read(context) }
        router.add(.delete, "/api/math/requests/{id}") { context throws(Problem) in
            try await requests.cancel(context)
        }
        router.add(.get, "/api/math/stream/{id}") { context throws(Problem) in try await streams.handle(context) }
    }

    package func handle(_ request: HTTPRequest, _ exchange: HTTPExchange) {
        let made = services.identifiers.make(CorrelationID.self).description
        do throws(Problem) {
            let own = try RequestContext.visible("X-Request-ID", max: 128, in: request)
            try dispatch(request, exchange, requestID: own ?? made)
        } catch {
            context(request, exchange, requestID: made, route: "none").respond(error)
        }
    }

    private func dispatch(_ request: HTTPRequest, _ exchange: HTTPExchange, requestID: String) throws(Problem) {
        if request.method == .options, cors.isPreflight(request) {
            let context = context(request, exchange, requestID: requestID, route: "preflight")
            return context.respond(cors.preflight(request))
        }
        switch router.match(request.method, request.path) {
        case .found(let action, let route, let parameter):
            run(action, context(request, exchange, requestID: requestID, route: route, parameter: parameter))
        case .otherMethods(let methods):
            var problem = Problem(.methodNotAllowed, "This path does not know \(request.method.name).")
            problem.headers.append(("Allow", methods.map(\.name).joined(separator: ", ")))
            context(request, exchange, requestID: requestID, route: "none").respond(problem)
        case .none:
            page(request, context(request, exchange, requestID: requestID, route: "/"))
        }
    }

    /// Starts the action on this loop; it answers before this returns unless it has to wait.
    private func run(_ action: @escaping Action, _ context: RequestContext) {
        services.loop.spawn {
            do throws(Problem) {
                try await action(context)
            } catch {
                var problem = error
                problem.correlationID = problem.correlationID ?? context.parameter.flatMap { CorrelationID($0) }
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
        do throws(Problem) {
            guard !name.isEmpty else { throw Problem(.notFound, "There is nothing at this path.") }
            guard request.method == .get || request.method == .head else {
                var problem = Problem(.methodNotAllowed, "This path does not know \(request.method.name).")
                problem.headers.append(("Allow", "GET, HEAD"))
                throw problem
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
            extraHeaders: cors.headers(for: request),
        ) { [weak self] context, status in
            self?.counter(context.route, status).increment()
        }
    }

    private func counter(_ route: String, _ status: Int) -> Counter {
        let key = "\(status) \(route)"
        if let counter = responseCounters[key] { return counter }
        let counter = services.metrics.responses(route: route, status: status)
        responseCounters[key] = counter
        return counter
    }
}

internal import Domain
package import EventLoop
internal import HTTPServer

extension RequestPipeline {
    /// The pipeline of the public listener.
    package convenience init(
        publicAPI services: APIServices,
        loop: Loop,
        authenticator: any Authenticator,
        limiter: any RequestLimiter,
        corsOrigins: [String],
        observer: RequestObserver
    ) {
        self.init(
            .publicAPI(services),
            PipelineStages(
                loop: loop,
                authenticator: authenticator,
                limiter: limiter,
                crossOrigin: CrossOriginPolicy(origins: corsOrigins),
                observer: observer,
            )
        )
    }
}

extension RouteTable {
    /// Every route of the public listener, one row each.
    static func publicAPI(_ services: APIServices) -> RouteTable {
        let solve = SolveRoute(services: services)
        let request = RequestRoutes(services: services)
        let stream = StreamRoute(services: services)
        let chat = ConversationRoutes(conversations: services.conversations)
        let page = PageRoute(assets: services.assets)
        let reading: AccessPolicy = .caller(scopes: [.read, .solve])
        let solving: AccessPolicy = .caller(scopes: [.solve])
        let watching: AccessPolicy = .ticketOrCaller(scopes: [.read, .solve])
        let routes = [
            Route(.post, "/api/math/solve", access: solving, limit: .solve, body: .json, solve.handle),
            Route(.get, "/api/math/requests/{id}", access: reading, limit: .free, body: .json, request.read),
            Route(.delete, "/api/math/requests/{id}", access: solving, limit: .free, body: .json, request.cancel),
            Route(.get, "/api/math/stream/{id}", access: watching, limit: .free, body: .json, stream.handle),
            Route(.post, "/api/conversations", access: solving, limit: .free, body: .json, chat.create),
            Route(.get, "/api/conversations", access: reading, limit: .free, body: .json, chat.list),
            Route(.get, "/api/conversations/{id}", access: reading, limit: .free, body: .json, chat.read),
            Route(.patch, "/api/conversations/{id}", access: solving, limit: .free, body: .json, chat.rename),
            Route(.delete, "/api/conversations/{id}", access: solving, limit: .free, body: .json, chat.delete),
            Route(.get, "/api/conversations/{id}/messages", access: reading, limit: .free, body: .json, chat.messages),
            Route(.get, "/", "/assets/{file...}", access: .open, limit: .free, body: .json, page.handle),
        ]
        return RouteTable(unknownPath: "There is nothing at this path.", routes)
    }
}

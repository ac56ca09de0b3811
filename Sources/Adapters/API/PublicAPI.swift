internal import Domain
package import EventLoop
internal import HTTPServer
internal import Instrumentation

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
            .publicAPI(services, authenticator),
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
    static func publicAPI(_ services: APIServices, _ authenticator: any Authenticator) -> RouteTable {
        RouteTable(
            unknownPath: "There is nothing at this path.",
            solvingRoutes(services)
                + accountRoutes(services.accounts, services.audit, authenticator, services.metrics.http)
                + adminRoutes(services.accounts, services.audit)
        )
    }

    private static let reading: AccessPolicy = .caller(scopes: [.read, .solve])

    private static func solvingRoutes(_ services: APIServices) -> [Route] {
        let solve = SolveRoute(services: services)
        let request = RequestRoutes(services: services)
        let stream = StreamRoute(services: services)
        let chat = ConversationRoutes(conversations: services.conversations, audit: services.audit)
        let ticket = TicketRoute(services: services)
        let page = PageRoute(assets: services.assets)
        let solving: AccessPolicy = .caller(scopes: [.solve])
        let watching: AccessPolicy = .ticketOrCaller(scopes: [.read, .solve])
        return [
            Route(.post, "/api/math/solve", access: solving, limit: .solve, body: .json, solve.handle),
            Route(.get, "/api/math/requests/{id}", access: reading, limit: .free, body: .json, request.read),
            Route(.delete, "/api/math/requests/{id}", access: solving, limit: .free, body: .json, request.cancel),
            Route(.get, "/api/math/stream/{id}", access: watching, limit: .free, body: .json, stream.handle),
            Route(.post, "/api/auth/ticket", access: .person, limit: .free, body: .json, ticket.handle),
            Route(.post, "/api/conversations", access: solving, limit: .free, body: .json, chat.create),
            Route(.get, "/api/conversations", access: reading, limit: .free, body: .json, chat.list),
            Route(.get, "/api/conversations/{id}", access: reading, limit: .free, body: .json, chat.read),
            Route(.patch, "/api/conversations/{id}", access: solving, limit: .free, body: .json, chat.rename),
            Route(.delete, "/api/conversations/{id}", access: solving, limit: .free, body: .json, chat.delete),
            Route(.get, "/api/conversations/{id}/messages", access: reading, limit: .free, body: .json, chat.messages),
            Route(.get, "/", "/assets/{file...}", access: .open, limit: .free, body: .json, page.handle),
        ]
    }

    static func accountRoutes(
        _ accounts: AccountServices,
        _ audit: AuditTrail,
        _ authenticator: any Authenticator,
        _ metrics: HTTPMetrics
    ) -> [Route] {
        let account = AccountRoutes(accounts: accounts, audit: audit)
        let failures = metrics.authenticationFailures
        let session = SessionRoutes(sessions: accounts.sessions, audit: audit, failures: failures)
        let key = KeyRoutes(keys: accounts.keys, withdrawn: accounts.withdrawn, audit: audit)
        let usage = UsageRoute(usage: accounts.usage, authenticator: authenticator)
        return [
            Route(
                .post,
                "/api/auth/register",
                access: .withoutKeyOrAdmin,
                limit: .credentials,
                body: .json,
                account.register
            ),
            Route(.post, "/api/auth/login", access: .withoutKey, limit: .credentials, body: .json, session.login),
            Route(.post, "/api/auth/refresh", access: .withoutKey, limit: .free, body: .json, session.refresh),
            Route(.post, "/api/auth/logout", access: .withoutKey, limit: .free, body: .json, session.logout),
            Route(.post, "/api/auth/logout-all", access: .account, limit: .free, body: .json, session.logoutAll),
            Route(.get, "/api/auth/me", access: .account, limit: .free, body: .json, account.read),
            Route(.patch, "/api/auth/me", access: .account, limit: .credentials, body: .json, account.change),
            Route(.delete, "/api/auth/me", access: .account, limit: .credentials, body: .json, account.delete),
            Route(.post, "/api/keys", access: .account, limit: .free, body: .json, key.create),
            Route(.get, "/api/keys", access: .account, limit: .free, body: .json, key.list),
            Route(.delete, "/api/keys/{id}", access: .account, limit: .free, body: .json, key.revoke),
            Route(.get, "/api/usage", access: .caller(scopes: [.read]), limit: .free, body: .json, usage.read),
        ]
    }

    static func adminRoutes(_ accounts: AccountServices, _ audit: AuditTrail) -> [Route] {
        let user = AdminAccountRoutes(admin: accounts.admin, withdrawn: accounts.withdrawn, audit: audit)
        let queue = QueueRoutes(admin: accounts.admin, audit: audit)
        let letter = "/api/admin/dead-letters/{id}"
        return [
            Route(.get, "/api/admin/users", access: .admin, limit: .free, body: .json, user.list),
            Route(.patch, "/api/admin/users/{id}", access: .admin, limit: .free, body: .json, user.change),
            Route(.delete, "/api/admin/users/{id}", access: .admin, limit: .free, body: .json, user.delete),
            Route(.get, "/api/admin/dead-letters", access: .admin, limit: .free, body: .json, queue.deadLetters),
            Route(.post, "\(letter)/redrive", access: .admin, limit: .free, body: .json, queue.redrive),
            Route(.delete, letter, access: .admin, limit: .free, body: .json, queue.drop),
            Route(.get, "/api/admin/queue", access: .admin, limit: .free, body: .json, queue.levels),
        ]
    }
}

internal import HTTPServer

/// One row of a ``RouteTable``: everything that the pipeline has to know of a route.
///
/// No argument has a default, so a route without an access policy, a limit class or a body limit does not compile.
struct Route {
    /// Responds through the context, at once or after waiting, or throws the problem that is the response.
    ///
    /// Called on the loop's thread in a task of its own.
    typealias Handler = (Caller, RequestContext) async throws(APIProblem) -> Void

    let method: HTTPMethod
    /// The paths of the route; the first names it in metrics, logs and traces.
    let patterns: [PathPattern]
    let access: AccessPolicy
    let limit: LimitClass
    /// Enforced by the HTTP server: before the body is read where `Content-Length` announces more.
    let body: BodyLimit
    let handler: Handler

    init(
        _ method: HTTPMethod,
        _ patterns: String...,
        access: AccessPolicy,
        limit: LimitClass,
        body: BodyLimit,
        _ handler: @escaping Handler
    ) {
        precondition(!patterns.isEmpty, "a route has a path")
        self.method = method
        self.patterns = patterns.map { PathPattern($0) }
        self.access = access
        self.limit = limit
        self.body = body
        self.handler = handler
    }

    /// The name of the route in metrics, logs and traces: one of a closed set.
    var label: String { patterns[0].text }
}

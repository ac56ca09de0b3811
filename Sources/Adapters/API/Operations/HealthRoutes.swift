internal import EventLoop
internal import HTTPServer
internal import Telemetry

/// `GET /healthz`, `/readyz`, `/startupz` and `/metrics`.
struct HealthRoutes {
    let loop: Loop
    let registry: MetricsRegistry
    let health: any HealthReporter

    /// About the event loops alone: a dependency that is away is no reason to restart the process.
    func live(_: Caller, _ context: RequestContext) {
        let turns = health.loopsTurn
        context.respond(
            HTTPResponse(
                status: turns ? 200 : 503,
                headers: ["Content-Type": "text/plain; charset=utf-8"],
                body: Array((turns ? "ok\n" : "an event loop is stuck\n").utf8),
            )
        )
    }

    func ready(_: Caller, _ context: RequestContext) async {
        let report = await health.readiness()
        context.respond(status: report.isReady ? 200 : 503, json: report.json)
    }

    func metrics(_: Caller, _ context: RequestContext) {
        // For the next scrape: this one does not wait for the dependencies.
        loop.spawn { [health] in _ = await health.readiness() }
        let format = MetricsFormat.preferred(accept: context.request.headers["Accept"])
        context.respond(
            HTTPResponse(
                status: 200,
                headers: ["Content-Type": format.contentType],
                body: Array(registry.render(format).utf8),
            )
        )
    }
}

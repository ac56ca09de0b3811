package import EventLoop
internal import HTTPServer
package import Shared
package import Telemetry

extension RequestPipeline {
    /// The pipeline of the operations port, API and worker alike: every route is open, and none is observed.
    package convenience init(
        operationsOn loop: Loop,
        registry: MetricsRegistry,
        health: any HealthReporter,
        logLevel: LogLevelControl,
        clock: any WallClock
    ) {
        self.init(
            .operations(
                HealthRoutes(loop: loop, registry: registry, health: health),
                LogLevelRoute(loop: loop, control: logLevel, clock: clock),
            ),
            PipelineStages(loop: loop, authenticator: nil, limiter: NoLimits(), crossOrigin: nil, observer: nil)
        )
    }
}

extension RouteTable {
    /// Every route of the operations port, one row each.
    static func operations(_ health: HealthRoutes, _ logLevel: LogLevelRoute) -> RouteTable {
        RouteTable(
            unknownPath: "The operations port has /healthz, /readyz, /startupz, /metrics and /loglevel.",
            [
                Route(.get, "/healthz", access: .open, limit: .free, body: .json, health.live),
                Route(.get, "/readyz", "/startupz", access: .open, limit: .free, body: .json, health.ready),
                Route(.get, "/metrics", access: .open, limit: .free, body: .json, health.metrics),
                Route(.get, "/loglevel", access: .open, limit: .free, body: .json, logLevel.show),
                Route(.put, "/loglevel", access: .open, limit: .free, body: .json, logLevel.change),
            ]
        )
    }
}

import API
import EventLoop
import HTTPServer
import Infrastructure
internal import Instrumentation
internal import LemmaSettings
import Lifecycle
import Telemetry

/// The operations listener: health and metrics.
final class OperationsService: Service {
    let name = "operations"
    private let dependencies: ReplicaDependencies

    init(_ dependencies: ReplicaDependencies) { self.dependencies = dependencies }

    func run(started: @escaping @Sendable () -> Void) async throws {
        let loop = dependencies.loops.loops[0]
        let health = dependencies.health
        let watches = try await health.watchLoops()
        var options = HTTPServerOptions()
        options.connectionsMax = DescriptorBudget.operationsMax
        options.refusedConnectionsMax = 0
        options.acceptingPaused = dependencies.noteAcceptPause
        options.renderError = { APIProblem.refusal(status: $0, detail: $1, request: $2, requestID: nil, origins: []) }
        let registry = dependencies.metrics.registry
        let schema = SchemaWatch(dependencies.database)
        await schema.begin()
        let providers = dependencies.gates
        let ops = dependencies.configuration.ops
        let (logLevel, clock) = (dependencies.logLevel, dependencies.clock)
        let listener = try await HTTPListener.start(
            host: .init("OPS_HOST", ops.host),
            port: .init("OPS_PORT", ops.port),
            on: [loop],
            options: options,
        ) { loop in
            RequestPipeline(
                operationsOn: loop,
                registry: registry,
                health: ReplicaHealth(process: health, loop: loop, schema: schema, providers: providers),
                logLevel: logLevel,
                clock: clock,
            )
        }
        dependencies.logger.info("operations port open", ["port": .int(listener.port)])
        started()
        await untilCancelled()
        try await Task {
            try await listener.closeAll()
            for watch in watches { try await watch.loop.run { _ in watch.onLoop.close() } }
        }.value
        throw CancellationError()
    }
}

extension Service {
    /// Suspends until the service's task is cancelled.
    func untilCancelled() async {
        let (never, continuation) = AsyncStream<Never>.makeStream()
        for await _ in never {}
        continuation.finish()
    }
}

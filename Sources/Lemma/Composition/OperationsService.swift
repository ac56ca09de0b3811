import API
import EventLoop
import HTTPServer
import Infrastructure
internal import Instrumentation
import Lifecycle
import Settings
import Telemetry

/// The operations listener: health and metrics.
final class OperationsService: Service {
    let name = "operations"
    private let environment: ReplicaEnvironment

    init(_ environment: ReplicaEnvironment) { self.environment = environment }

    func run(started: @escaping @Sendable () -> Void) async throws {
        let loop = environment.loops.loops[0]
        let health = environment.health
        let watches = try await health.watchLoops()
        var options = HTTPServerOptions()
        options.connectionsMax = DescriptorBudget.operationsMax
        options.refusedConnectionsMax = 0
        options.acceptingPaused = environment.noteAcceptPause
        options.renderError = { APIProblem.refusal(status: $0, detail: $1, request: $2, requestID: nil, origins: []) }
        let registry = environment.metrics.registry
        let schema = SchemaWatch(environment.database)
        await schema.begin()
        let providers = environment.gates
        let ops = environment.configuration.ops
        let (logLevel, clock) = (environment.logLevel, environment.clock)
        let listener = try await HTTPListener.start(
            host: .init("OPS_HOST", ops.host),
            port: .init("OPS_PORT", ops.port),
            on: [loop],
            options: options,
        ) { loop in
            OperationsHandler(
                loop: loop,
                registry: registry,
                health: ReplicaHealth(process: health, loop: loop, schema: schema, providers: providers),
                logLevel: logLevel,
                clock: clock,
            )
        }
        environment.logger.info("operations port open", ["port": .int(listener.port)])
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

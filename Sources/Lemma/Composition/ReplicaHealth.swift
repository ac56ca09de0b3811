import API
import EventLoop
import Infrastructure
import Instrumentation
import Telemetry
import Time

/// The health of a replica, for the operations port.
struct ReplicaHealth: HealthReporter {
    let process: ProcessHealth
    let loop: Loop
    let schema: SchemaWatch
    let providers: [ProviderGate]

    var loopsTurn: Bool { process.loopsTurn(now: loop.nowMilliseconds) }

    func readiness() async -> ReadinessReport {
        var reason: String?
        let postgres = await Self.check { try await schema.look() }
        if !schema.isCurrent { reason = Self.reason(of: schema, postgres) }
        let redis = await Self.check { try await process.probeStores() }
        if case .down(let cause) = redis { reason = "redis is not writable: \(cause)" }
        if process.isDraining { reason = "draining" }
        let metrics = process.metrics
        metrics.ready.set(reason == nil ? 1 : 0)
        metrics.checks[.redis].set(redis.isUp ? 1 : 0)
        metrics.checks[.postgres].set(postgres.isUp ? 1 : 0)
        metrics.checks[.migrations].set(schema.isCurrent ? 1 : 0)
        metrics.checks[.accepting].set(process.isDraining ? 0 : 1)
        return ReadinessReport(
            reason: reason,
            redis: redis,
            postgres: postgres,
            providers: providers.map { ($0.name, $0.state.rawValue) },
            backlog: process.backlog,
            warnings: process.warnings,
        )
    }

    /// Why a replica without this release's schema is not ready: migrations are missing only if the schema was read.
    private static func reason(of schema: SchemaWatch, _ postgres: DependencyCheck) -> String {
        switch postgres {
        case .down(let cause) where !schema.isKnown: "postgres cannot be reached since the start: \(cause)"
        case .up, .down: "migrations missing: run lemma migrate"
        }
    }

    /// How long `work` took, or why it failed.
    private static func check(_ work: () async throws -> Void) async -> DependencyCheck {
        let start = ContinuousClock.now
        do {
            try await work()
        } catch {
            return .down(reason: "\(error)")
        }
        return .up(milliseconds: Double((ContinuousClock.now - start).wholeMicroseconds) / 1000)
    }
}

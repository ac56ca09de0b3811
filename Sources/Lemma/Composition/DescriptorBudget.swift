import EventLoop
import HTTPServer
import Instrumentation
import LemmaSettings
import Telemetry

/// Divides the file descriptors of a process between the public listener and its own needs.
///
/// The process's own needs are reserved, so that a replica with the maximum of clients still reaches Redis, PostgreSQL and
/// the providers, and serves its operations port.
struct DescriptorBudget: Sendable, Equatable {
    /// The start fails below this limit.
    static let limitMin = 256
    /// Connections to the operations port: probes, scrapers and operators.
    static let operationsMax = 64
    /// Standard streams, name lookups, and files that are open for a short time.
    private static let base = 64
    /// A loop's own descriptors, and its connections to Redis twice, because a new connection may open before the old one
    /// closes.
    private static let perLoop = 16
    /// A loop's idle connections to providers, or the pipes of its calculators.
    private static let perWorkingLoop = 64
    /// A provider call and its hedged call.
    private static let perJob = 2

    /// Limit of the public listener's connections; 0 without a listener.
    let publicConnectionsMax: Int
    /// False where the settings allow more jobs than the descriptors suffice for.
    let isSufficient: Bool

    /// `limit` is the soft limit; throws below ``limitMin``.
    init(limit: Int, _ configuration: Configuration, roles: [ReplicaRole], loops: Int, postgresMax: Int) throws {
        guard limit >= Self.limitMin else {
            throw StartFailure(
                "the limit of open files is \(limit), and at least \(Self.limitMin) are needed: raise it with ulimit -n"
            )
        }
        var needed = Self.base + loops * Self.perLoop + Self.operationsMax + 2 * postgresMax + TCPListener.handOversMax
        if roles.contains(.worker) {
            let callsOut = configuration.ai.providers.contains { $0.remote != nil }
            needed += loops * Self.perWorkingLoop + (callsOut ? configuration.jobs.concurrency * Self.perJob : 0)
        }
        guard roles.contains(.api) else {
            publicConnectionsMax = 0
            isSufficient = needed <= limit
            return
        }
        let options = HTTPServerOptions()
        needed += options.refusedConnectionsMax
        // However much the settings ask for, clients keep a quarter.
        publicConnectionsMax = min(options.connectionsMax, max(limit - needed, limit / 4))
        isSufficient = needed <= limit - publicConnectionsMax
    }

    /// Logs what there is.
    func note(_ change: DescriptorLimit.Change, in logger: Logger) {
        var fields: LogFields = [
            "soft_before": .int(change.softBefore), "soft": .int(change.soft), "hard": .int(change.hard),
        ]
        if publicConnectionsMax > 0 { fields["public_connections_max"] = .int(publicConnectionsMax) }
        logger.info("limit of open files", fields)
        if !isSufficient {
            logger.warning("limit of open files is low for WORKER_CONCURRENCY", ["soft": .int(change.soft)])
        }
    }
}

import EventLoop
import HTTPServer
import Instrumentation
import LemmaSettings
import Telemetry

/// How the file descriptors of a process are divided between the public listener and all else.
///
/// What the process needs itself is reserved, so that a replica with as many clients as it can serve still reaches Redis,
/// PostgreSQL and the providers, and answers on its operations port.
struct DescriptorBudget: Sendable, Equatable {
    /// Fewer than these are not enough to start.
    static let limitMin = 256
    /// Connections to the operations port: probes, scrapers and operators.
    static let operationsMax = 64
    /// Standard streams, look-ups of names, and files that are open for a moment.
    private static let base = 64
    /// A loop's own, and its connections to Redis, twice, because a new one may be opened before an old one is closed.
    private static let perLoop = 16
    /// Connections to providers that a loop keeps open for the next request, or pipes of its calculators.
    private static let perWorkingLoop = 64
    /// A provider's call and the one that begins because it is late.
    private static let perJob = 2

    /// Connections that the public listener may have; 0 where there is none.
    let publicConnectionsMax: Int
    /// False where the settings can make the process need more than what is left to it.
    let isSufficient: Bool

    /// `limit` is the soft limit.
    ///
    /// Throws where that is too low for any use.
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

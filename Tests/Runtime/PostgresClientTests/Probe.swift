import EventLoop
import PostgresClient
import TestSupport

/// Records what a pool reports.
final class RecordingObserver: PostgresObserver {
    var opened = 0
    var lost = 0
    var closed = 0
    var timeouts = 0
    var failures: [String] = []
    var batches = 0
    var usage: [String] = []

    func waited(_ duration: Duration) {}
    func batchFinished(after duration: Duration, succeeded: Bool) { batches += 1 }
    func connectionOpened() { opened += 1 }
    func connectionClosed(isLost: Bool) { if isLost { lost += 1 } else { closed += 1 } }
    func connectionFailed(reason: String) { failures.append(reason) }
    func usageChanged(inUse: Int, waiting: Int) { usage.append("\(inUse) in use, \(waiting) waiting") }
    func timedOut() { timeouts += 1 }
}

/// What differs between two tests' pools; nil leaves the default.
struct PoolLimits: Sendable {
    var connectionsMax: Int?
    var waitersMax: Int?
    /// After which an unused connection is probed and closed.
    var unusedMax: Duration?

    func apply(to configuration: inout PostgresConfiguration) {
        if let connectionsMax { configuration.connectionsMax = connectionsMax }
        if let waitersMax { configuration.waitersMax = waitersMax }
        if let unusedMax {
            configuration.probeAfter = unusedMax
            configuration.closeAfter = unusedMax
        }
    }
}

/// Runs `body` with a pool on a database of its own of the shared server.
func withPool<Result: Sendable>(
    _ limits: PoolLimits = PoolLimits(),
    _ body: @escaping @Sendable (PostgresPool, PostgresTestDatabase, RecordingObserver) async throws -> Result
) async throws -> Result {
    let database = try PostgresServer.shared.get().database()
    return try await onLoop { loop in
        let observer = RecordingObserver()
        let pool = try pool(database.url, on: loop, observer: observer) { limits.apply(to: &$0) }
        defer { pool.close() }
        return try await body(pool, database, observer)
    }
}

func pool(
    _ url: String,
    on loop: Loop,
    observer: RecordingObserver? = nil,
    _ change: (inout PostgresConfiguration) -> Void = { _ in }
) throws -> PostgresPool {
    var configuration = try PostgresConfiguration(uri: url, applicationName: "lemma-test")
    configuration.connectLimit = .seconds(20)
    change(&configuration)
    return PostgresPool(configuration, on: loop, observer: observer)
}

extension PostgresPool {
    /// One statement, once, with ample time.
    func run(_ call: PostgresCall, within limit: Duration = .seconds(30)) async throws(PostgresError) -> PostgresRows {
        try await run([call], within: limit, mayRepeat: false)[0]
    }
}

func failure<Result>(_ body: () async throws(PostgresError) -> Result) async -> PostgresError? {
    do throws(PostgresError) {
        _ = try await body()
        return nil
    } catch {
        return error
    }
}

import Persistence
import PostgresClient
import Synchronization

/// Knows whether the database has this release's schema.
///
/// A replica that has seen it once stays ready while PostgreSQL is away; one that starts without PostgreSQL is not ready
/// until it has seen it.
final class SchemaWatch: Sendable {
    /// Shorter than the limit of a readiness probe.
    static let limit = Duration.milliseconds(500)
    private static let firstLimit = Duration.seconds(2)

    private let database: PostgresDatabase
    private let lastState = Mutex<SchemaState?>(nil)

    init(_ database: PostgresDatabase) { self.database = database }

    var isCurrent: Bool { lastState.withLock { $0 } == .current }

    /// False before the first successful look.
    var isKnown: Bool { lastState.withLock { $0 } != nil }

    /// Reads the schema's state; an error leaves the known state.
    func look(within limit: Duration = SchemaWatch.limit) async throws(PostgresError) {
        let state = try await database.schemaState(within: limit)
        lastState.withLock { $0 = state }
    }

    /// Reads the state for the first time, before a probe asks for it.
    func begin() async { try? await look(within: Self.firstLimit) }
}

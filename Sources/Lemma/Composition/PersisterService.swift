import Cryptography
import EventLoop
import Infrastructure
import Instrumentation
import Lifecycle
import Persistence
import Synchronization
import Telemetry
import Worker

/// Archives the records of requests in PostgreSQL and resumes erasures of accounts, on one loop of the process.
final class PersisterService: Service {
    /// From the end of the worker's drain to the end of the last batch.
    private static let drainLimit = Duration.seconds(5)

    let name = "persister"
    private let dependencies: ReplicaDependencies
    private let graph = Mutex<LoopBound<PersisterGraph>?>(nil)

    init(_ dependencies: ReplicaDependencies) { self.dependencies = dependencies }

    var limits: ServiceLimits { ServiceLimits(drain: Self.drainLimit + .seconds(1)) }

    func run(started: @escaping @Sendable () -> Void) async throws {
        let loop = dependencies.loops.loops[0]
        let made = try await loop.run { [dependencies] loop in
            let graph = PersisterGraph(dependencies, on: loop)
            graph.persister.start()
            graph.accounts.start()
            return LoopBound(graph, of: loop)
        }
        graph.withLock { $0 = made }
        started()
        await untilCancelled()
        try await Task {
            try await loop.run { _ in made.onLoop.close() }
        }.value
        throw CancellationError()
    }

    func drain() async {
        guard let graph = graph.withLock({ $0 }) else { return }
        try? await graph.loop.run { _ in
            graph.onLoop.accounts.close()
            await graph.onLoop.persister.drain(within: Self.drainLimit)
        }
    }
}

/// The persister, the sweep of accounts and their connections.
final class PersisterGraph {
    /// One try of a sweep waits so long for workers and persisters.
    private static let erasureWait = Duration.seconds(20)

    let persister: Persister
    let accounts: AccountSweep
    private let store: RedisStore
    private let queue: RedisRecordQueue

    init(_ dependencies: ReplicaDependencies, on loop: Loop) {
        let logger = dependencies.logger
        let metrics = dependencies.metrics
        store = dependencies.store(on: loop, dependencies.makeEventBus())
        queue = RedisRecordQueue(
            store: store,
            consumer: Base64URL.encode(SecureRandom.bytes(6)),
            observer: CountingRecordEntryObserver(metrics.persister, logger: logger),
            connection: dependencies.redisObserver(.waiting),
        )
        persister = Persister(
            loop: loop,
            queue: queue,
            membership: queue,
            archive: dependencies.archive,
            erasure: RedisQueueErasure(store: store),
            backoff: dependencies.backoff,
            metrics: metrics.persister,
            logger: logger,
            observer: dependencies.health,
        )
        accounts = AccountSweep(
            loop: loop,
            erasure: dependencies.accountErasure(store, waitLimit: Self.erasureWait),
            sessions: PostgresSessionRepository(dependencies.database),
            withdrawals: PostgresAccessChanges(dependencies.database),
            clock: dependencies.clock,
            logger: logger,
        )
    }

    func close() {
        accounts.close()
        persister.close()
        queue.close()
        store.close()
    }
}

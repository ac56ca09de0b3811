import API
import Application
import EventLoop
import Infrastructure
import Instrumentation
import Persistence
import PostgresClient
import RedisClient
import Synchronization
import Telemetry
import Time

/// Whether the process's loops turn and reach Redis, and whether it drains.
final class ProcessHealth: Sendable {
    private static let beatPeriod = Duration.milliseconds(500)
    /// Silence of a loop after which it counts as stuck, in milliseconds.
    private static let silenceMax: Int64 = 10_000

    let metrics: ReplicaMetrics
    private let redis: RedisMetrics
    private let loops: [Loop]
    private let beats: [LastBeat]
    private let draining = Atomic<Bool>(false)
    private let stores = Mutex<[LoopBound<RedisStore>]>([])
    /// What waits for PostgreSQL, as this process's persister last saw it.
    private let lastBacklog = Mutex<RecordBacklog?>(nil)

    /// Redis' `maxmemory-policy`, as this process last saw it.
    private let lastPolicy = Mutex<String?>(nil)
    private static let safePolicy = "noeviction"

    /// A loop's last sign of life.
    private final class LastBeat: Sendable {
        /// Monotonic milliseconds.
        let time = Atomic<Int64>(0)
        let idleNanoseconds = Atomic<Int64>(0)
        let pendingCommands = Atomic<Int>(0)
    }

    init(loops: [Loop], metrics: LemmaMetrics) {
        self.loops = loops
        self.metrics = metrics.replica
        redis = metrics.redis
        beats = loops.map { _ in LastBeat() }
        for (loop, beat) in zip(loops, beats) {
            self.metrics.observeIdleTime(ofLoop: loop.index) {
                Double(beat.idleNanoseconds.load(ordering: .relaxed)) / 1e9
            }
        }
    }

    /// From now on the replica is not ready.
    func beginDraining() { draining.store(true, ordering: .relaxed) }

    /// Nil where no persister runs in this process.
    var backlog: RecordBacklog? { lastBacklog.withLock { $0 } }

    func note(_ backlog: RecordBacklog) { lastBacklog.withLock { $0 = backlog } }

    /// Notes Redis' `maxmemory-policy`, and logs a change to or from one that loses requests.
    func note(evictionPolicy policy: String, _ logger: Logger) {
        let former = lastPolicy.withLock { last in
            defer { last = policy }
            return last ?? Self.safePolicy
        }
        guard policy != former else { return }
        redis.mayEvict.set(policy == Self.safePolicy ? 0 : 1)
        if policy == Self.safePolicy {
            logger.info("redis does not evict keys any more")
        } else {
            logger.warning(
                "redis may evict keys, which loses requests; set maxmemory-policy noeviction",
                ["policy": .string(policy)],
            )
        }
    }

    /// What does not make the replica unready, but should not stay so.
    var warnings: [String] {
        guard let policy = lastPolicy.withLock({ $0 }), policy != Self.safePolicy else { return [] }
        return ["redis may evict keys, which loses requests: maxmemory-policy is \(policy), not noeviction"]
    }

    var isDraining: Bool { draining.load(ordering: .relaxed) }

    /// Counts a connection to Redis among those that must take writes.
    func watch(_ store: LoopBound<RedisStore>) { stores.withLock { $0.append(store) } }

    /// Writes to Redis from every loop, because each has connections of its own, which come back in their own time.
    ///
    /// Throws where one cannot, and before there are any.
    func probeStores() async throws {
        let stores = stores.withLock { $0 }
        guard !stores.isEmpty else { throw RedisError.notConnected(reason: "no loop has one yet") }
        try await withThrowingTaskGroup { group in
            for store in stores {
                group.addTask { try await store.loop.run { _ in try await store.onLoop.probe() } }
            }
            try await group.waitForAll()
        }
    }

    /// Lets every loop give a sign of life; the timers are the caller's to close.
    func watchLoops() async throws -> [LoopBound<LoopTimer>] {
        var timers: [LoopBound<LoopTimer>] = []
        for (loop, beat) in zip(loops, beats) {
            timers.append(
                try await loop.run { loop in
                    beat.time.store(loop.nowMilliseconds, ordering: .relaxed)
                    let timer = loop.schedule(every: Self.beatPeriod) { self.note(beat, of: loop) }
                    return LoopBound(timer, of: loop)
                }
            )
        }
        return timers
    }

    /// Measures a loop at its beat; how late it comes tells how long the loop was busy with something else.
    private func note(_ beat: LastBeat, of loop: Loop) {
        let due = Duration.milliseconds(beat.time.load(ordering: .relaxed)) + Self.beatPeriod
        metrics.loopLagSeconds.observe(max(.zero, LoopClock.now - due))
        beat.time.store(loop.nowMilliseconds, ordering: .relaxed)
        beat.idleNanoseconds.store(loop.idleTime.wholeNanoseconds, ordering: .relaxed)
        let pending = stores.withLock { stores in
            stores.reduce(0) { $1.loop === loop ? $0 + $1.onLoop.pendingCommands : $0 }
        }
        let before = beat.pendingCommands.exchange(pending, ordering: .relaxed)
        if pending != before { redis.pending.add(Double(pending - before)) }
    }

    /// True while every loop has given a sign of life lately; `now` in monotonic milliseconds.
    func loopsTurn(now: Int64) -> Bool {
        beats.allSatisfy { now - $0.time.load(ordering: .relaxed) < Self.silenceMax }
    }
}

/// What the operations port tells of a replica.
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

    /// Why a replica without this release's schema is not ready: it misses migrations only where somebody has looked.
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

/// Whether the database has this release's schema, as far as is known.
///
/// A replica that has seen it once stays ready while PostgreSQL is away; one that starts without PostgreSQL is not ready
/// until it has seen it.
final class SchemaWatch: Sendable {
    /// A replica's readiness must be told within the limit of one probe.
    static let limit = Duration.milliseconds(500)
    private static let firstLimit = Duration.seconds(2)

    private let database: PostgresDatabase
    private let lastState = Mutex<SchemaState?>(nil)

    init(_ database: PostgresDatabase) { self.database = database }

    var isCurrent: Bool { lastState.withLock { $0 } == .current }

    /// False until PostgreSQL has been asked once.
    var isKnown: Bool { lastState.withLock { $0 } != nil }

    /// Looks again; throws where PostgreSQL cannot be asked, which leaves what is known.
    func look(within limit: Duration = SchemaWatch.limit) async throws(PostgresError) {
        let state = try await database.schemaState(within: limit)
        lastState.withLock { $0 = state }
    }

    /// Looks for the first time, so that a replica knows without having been asked for its readiness.
    func begin() async { try? await look(within: Self.firstLimit) }
}

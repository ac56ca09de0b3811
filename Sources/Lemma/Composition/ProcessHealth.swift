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
import Worker

/// The health of the process: loops, connections to Redis, the archive's lag, and whether it drains.
final class ProcessHealth: Sendable, BacklogObserver, EvictionPolicyObserver {
    private static let beatPeriod = Duration.milliseconds(500)
    /// Silence of a loop after which it counts as stuck, in milliseconds.
    private static let silenceMax: Int64 = 10_000

    let metrics: ReplicaMetrics
    private let redis: RedisMetrics
    private let logger: Logger
    private let loops: [Loop]
    private let beats: [LastBeat]
    private let draining = Atomic<Bool>(false)
    private let stores = Mutex<[LoopBound<RedisStore>]>([])
    /// The archive's lag, as this process's persister last measured it.
    private let lastBacklog = Mutex<RecordBacklog?>(nil)

    /// Redis' `maxmemory-policy`, as this process last read it.
    private let lastPolicy = Mutex<String?>(nil)
    private static let safePolicy = "noeviction"

    /// A loop's last heartbeat.
    private final class LastBeat: Sendable {
        /// Monotonic milliseconds.
        let time = Atomic<Int64>(0)
        let idleNanoseconds = Atomic<Int64>(0)
        let pendingCommands = Atomic<Int>(0)
    }

    init(loops: [Loop], metrics: LemmaMetrics, logger: Logger) {
        self.loops = loops
        self.logger = logger
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

    func observed(_ backlog: RecordBacklog) { lastBacklog.withLock { $0 = backlog } }

    /// Notes Redis' `maxmemory-policy`, and logs a change to or from one that loses requests.
    func observed(evictionPolicy policy: String) {
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

    /// Conditions that leave the replica ready, but that an operator should correct.
    var warnings: [String] {
        guard let policy = lastPolicy.withLock({ $0 }), policy != Self.safePolicy else { return [] }
        return ["redis may evict keys, which loses requests: maxmemory-policy is \(policy), not noeviction"]
    }

    var isDraining: Bool { draining.load(ordering: .relaxed) }

    /// Counts a connection to Redis among those that must take writes.
    func watch(_ store: LoopBound<RedisStore>) { stores.withLock { $0.append(store) } }

    /// Writes to Redis from every loop, because each loop has connections of its own, which reconnect independently.
    ///
    /// Throws where one write fails, and before there is a connection.
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

    /// Starts the heartbeat of every loop; the caller closes the timers.
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

    /// Measures a loop at its heartbeat; the delay of the beat is the time for which other work kept the loop busy.
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

    /// True while every loop's last heartbeat is recent; `now` in monotonic milliseconds.
    func loopsTurn(now: Int64) -> Bool {
        beats.allSatisfy { now - $0.time.load(ordering: .relaxed) < Self.silenceMax }
    }
}

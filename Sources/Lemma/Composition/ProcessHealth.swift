import API
import EventLoop
import Infrastructure
import Synchronization

/// Whether the process's loops turn and reach Redis, and whether it drains.
final class ProcessHealth: Sendable {
    private static let beatPeriod = Duration.milliseconds(500)
    /// Silence of a loop after which it counts as stuck, in milliseconds.
    private static let silenceMax: Int64 = 10_000

    private let loops: [Loop]
    private let beats: [LastBeat]
    private let draining = Atomic<Bool>(false)
    private let stores = Mutex<[LoopBound<RedisStore>]>([])

    /// Monotonic milliseconds of a loop's last sign of life.
    private final class LastBeat: Sendable {
        let time = Atomic<Int64>(0)
    }

    init(loops: [Loop]) {
        self.loops = loops
        beats = loops.map { _ in LastBeat() }
    }

    /// From now on the replica is not ready.
    func beginDraining() { draining.store(true, ordering: .relaxed) }

    var isDraining: Bool { draining.load(ordering: .relaxed) }

    /// Counts a connection to Redis among those that must take writes.
    func watch(_ store: LoopBound<RedisStore>) { stores.withLock { $0.append(store) } }

    /// True when Redis takes writes from every loop: each has connections of its own, which come back in their own time.
    ///
    /// False before there are any.
    func storesAreWritable() async -> Bool {
        let stores = stores.withLock { $0 }
        return await withTaskGroup { group in
            for store in stores {
                group.addTask { (try? await store.loop.run { _ in try await store.onLoop.probe() }) != nil }
            }
            return await group.allSatisfy { $0 } && !stores.isEmpty
        }
    }

    /// Lets every loop give a sign of life; the timers are the caller's to close.
    func watchLoops() async throws -> [LoopBound<LoopTimer>] {
        var timers: [LoopBound<LoopTimer>] = []
        for (loop, beat) in zip(loops, beats) {
            timers.append(
                try await loop.run { loop in
                    beat.time.store(loop.nowMilliseconds, ordering: .relaxed)
                    let timer = loop.schedule(every: Self.beatPeriod) {
                        beat.time.store(loop.nowMilliseconds, ordering: .relaxed)
                    }
                    return LoopBound(timer, of: loop)
                }
            )
        }
        return timers
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
    let providers: [String]

    var loopsTurn: Bool { process.loopsTurn(now: loop.nowMilliseconds) }

    func readiness() async -> ReadinessReport {
        let start = ContinuousClock.now
        let isWritable = await process.storesAreWritable()
        let latency = isWritable ? Double((ContinuousClock.now - start).wholeMicroseconds) / 1000 : nil
        var reason = isWritable ? nil : "redis is not writable"
        if process.isDraining { reason = "draining" }
        return ReadinessReport(
            reason: reason,
            redisLatencyMilliseconds: latency,
            providers: providers.map { ($0, "closed") },
        )
    }
}

extension Duration {
    fileprivate var wholeMicroseconds: Int64 {
        components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000
    }
}

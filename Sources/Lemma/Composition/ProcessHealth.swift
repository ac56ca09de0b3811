import API
import EventLoop
import Infrastructure
import Synchronization

/// Whether the process's loops turn and whether it drains.
final class ProcessHealth: Sendable {
    private static let beatPeriod = Duration.milliseconds(500)
    /// Silence of a loop after which it counts as stuck, in milliseconds.
    private static let silenceMax: Int64 = 10_000

    private let loops: [Loop]
    private let beats: [LastBeat]
    private let draining = Atomic<Bool>(false)

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
    let store: RedisStore
    let providers: [ProviderGate]

    var loopsTurn: Bool { process.loopsTurn(now: store.loop.nowMilliseconds) }

    func readiness() async -> ReadinessReport {
        let start = ContinuousClock.now
        var reason: String?
        var latency: Double?
        do {
            try await store.probe()
            latency = Double((ContinuousClock.now - start).wholeMicroseconds) / 1000
        } catch {
            reason = "redis is not writable"
        }
        if process.isDraining { reason = "draining" }
        return ReadinessReport(
            reason: reason,
            redisLatencyMilliseconds: latency,
            providers: providers.map { ($0.name, $0.state.rawValue) },
        )
    }
}

extension Duration {
    fileprivate var wholeMicroseconds: Int64 {
        components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000
    }
}

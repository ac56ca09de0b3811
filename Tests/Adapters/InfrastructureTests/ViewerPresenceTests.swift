import Application
import Domain
internal import EventLoop
internal import RedisClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("Requests without viewers, on Redis", .tags(.integration))
struct ViewerPresenceTests {
    private static let grace = Duration.milliseconds(200)

    private final class SilentViewer: AnswerViewer {
        private(set) var end: AnswerEnd?
        func offer(_ event: AnswerEvent) -> Bool { true }
        func deliver(_ event: AnswerEvent) {}
        func answerDidEnd(_ end: AnswerEnd) { self.end = end }
    }

    /// API replicas as their loops see Redis, and one sweep.
    private final class Replicas {
        let bench: RedisBench
        let pushes: [RedisPushes]
        private(set) var abandoned: [CorrelationID] = []
        private var sweep: AbandonmentSweep?

        init(_ bench: RedisBench, count: Int = 1) {
            self.bench = bench
            pushes = (0..<count).map { number in
                RedisPushes(
                    store: bench.store,
                    backoff: Backoff(random: SecureRandomSource()),
                    presence: ViewerPresence(
                        store: bench.store,
                        watcher: "replica-\(number)",
                        grace: ViewerPresenceTests.grace,
                        timeToLive: .seconds(600),
                    ),
                )
            }
        }

        func startSweep() async throws {
            bench.store.bus?.subscribe(to: RequestAbandoned.self) { [weak self] event in
                self?.abandoned.append(event.correlationID)
            }
            let sweep = AbandonmentSweep(store: bench.store, grace: ViewerPresenceTests.grace)
            self.sweep = sweep
            sweep.start()
            #expect(try await eventually { sweep.hasSwept })
        }

        func close() {
            sweep?.close()
            for one in pushes { one.close() }
        }
    }

    private func withReplicas(
        _ count: Int = 1,
        _ body: @escaping @Sendable (Replicas) async throws -> Void
    ) async throws {
        try await withRedis { bench in
            let replicas = Replicas(bench, count: count)
            defer { replicas.close() }
            try await body(replicas)
        }
    }

    private func submit(
        _ bench: RedisBench,
        _ choice: SolveOptions.OnDisconnect = .cancel
    ) async throws -> RequestRecord {
        let made = bench.makeRequest()
        let request = MathRequest(
            correlationID: made.correlationID,
            conversationID: made.conversationID,
            userID: made.userID,
            problem: made.problem,
            requestedProvider: nil,
            options: SolveOptions([.onDisconnect: .text(choice.rawValue)]),
        )
        _ = try await bench.publisher().publish(request, in: .new, as: nil)
        return try await bench.record(request.correlationID)
    }

    private func viewers(of id: CorrelationID, _ bench: RedisBench) async throws -> Int? {
        try await bench.redis("ZCARD", bench.keys.viewers(id)).integer
    }

    private func isDue(_ id: CorrelationID, _ bench: RedisBench) async throws -> Bool {
        try await bench.store.call(ListAbandonedCall(in: 0, upTo: 10, bench.keys)).abandoned.contains(id)
    }

    /// Returns when the grace of a viewer that leaves now is over, so that the grace of earlier ones is over, too.
    private func outlastGrace(_ replicas: Replicas) async throws {
        let record = try await submit(replicas.bench)
        replicas.pushes[0].answers.watch(record, from: .first, viewer: SilentViewer()).cancel()
        #expect(try await eventually { try await isDue(record.request.correlationID, replicas.bench) })
    }

    @Test("one that waits for a worker is cancelled, once, when its last viewer has been gone for the grace")
    func abandonedInTheQueue() async throws {
        try await withReplicas { replicas in
            let bench = replicas.bench
            try await replicas.startSweep()
            let record = try await submit(bench)
            let id = record.request.correlationID
            let place = replicas.pushes[0].answers.watch(record, from: .first, viewer: SilentViewer())
            #expect(try await eventually { try await viewers(of: id, bench) == 1 })
            place.cancel()
            #expect(try await eventually { replicas.abandoned == [id] })
            let events = try await bench.events(of: id)
            #expect(events.count == 2)
            #expect(events.last?.hasPrefix(#"0-2 cancelled {"reason":"disconnected","attempts":0"#) == true)
            #expect(try await bench.record(id).status == .cancelled)
            #expect(try await bench.redis("EXISTS", bench.keys.viewers(id), bench.keys.watched(0)).integer == 0)
        }
    }

    @Test("a running one is asked to stop: durable flag, push and lease renewal have the reason")
    func abandonedWhileRunning() async throws {
        try await withReplicas { replicas in
            let bench = replicas.bench
            try await replicas.startSweep()
            let consumer = bench.consumer()
            let record = try await submit(bench)
            let delivery = try #require(try await consumer.receive(upTo: 1).first)
            _ = try await consumer.claim(delivery, bench.plan())
            replicas.pushes[0].answers.watch(record, from: .first, viewer: SilentViewer()).cancel()
            #expect(try await eventually { replicas.abandoned == [record.request.correlationID] })
            #expect(try await consumer.renew([delivery]).cancelled.map(\.1) == [.disconnected])
        }
    }

    @Test("a request is not abandoned as long as another replica has a viewer")
    func anotherReplica() async throws {
        try await withReplicas(2) { replicas in
            let bench = replicas.bench
            let record = try await submit(bench)
            let id = record.request.correlationID
            let first = replicas.pushes[0].answers.watch(record, from: .first, viewer: SilentViewer())
            let second = replicas.pushes[1].answers.watch(record, from: .first, viewer: SilentViewer())
            let third = replicas.pushes[1].answers.watch(record, from: .first, viewer: SilentViewer())
            #expect(try await eventually { try await viewers(of: id, bench) == 2 }, "one word for each loop")
            first.cancel()
            third.cancel()
            #expect(try await eventually { try await viewers(of: id, bench) == 1 })
            try await outlastGrace(replicas)
            #expect(try await !isDue(id, bench))
            second.cancel()
            #expect(try await eventually { try await isDue(id, bench) })
        }
    }

    @Test("a viewer that reconnects within the grace to another replica keeps the request alive")
    func comesBack() async throws {
        try await withReplicas(2) { replicas in
            let bench = replicas.bench
            let record = try await submit(bench)
            let id = record.request.correlationID
            let first = replicas.pushes[0].answers.watch(record, from: .first, viewer: SilentViewer())
            #expect(try await eventually { try await viewers(of: id, bench) == 1 })
            first.cancel()
            #expect(try await eventually { try await viewers(of: id, bench) == 0 })
            let second = replicas.pushes[1].answers.watch(record, from: .first, viewer: SilentViewer())
            #expect(try await eventually { try await viewers(of: id, bench) == 1 })
            try await outlastGrace(replicas)
            #expect(try await !isDue(id, bench))
            let reply = try await bench.store.call(
                CancelAbandonedCall(id, of: record.request.conversationID, bench.keys, RedisBench.retention),
            )
            #expect(reply == .watched, "the decision is made again where it takes effect")
            second.cancel()
        }
    }

    @Test("the word of a replica that died expires, and the grace follows")
    func deadReplica() async throws {
        try await withReplicas { replicas in
            let bench = replicas.bench
            try await replicas.startSweep()
            let record = try await submit(bench)
            let id = record.request.correlationID
            _ = replicas.pushes[0].answers.watch(record, from: .first, viewer: SilentViewer())
            #expect(try await eventually { try await viewers(of: id, bench) == 1 })
            // Like a killed process: it sends nothing more.
            replicas.pushes[0].close()
            #expect(try await bench.record(id).status == .queued)
            #expect(try await eventually { try await bench.record(id).status == .cancelled })
        }
    }

    @Test("a viewer that stays longer than one presence lasts remains counted")
    func refreshed() async throws {
        try await withReplicas(2) { replicas in
            let bench = replicas.bench
            try await replicas.startSweep()
            let record = try await submit(bench)
            let id = record.request.correlationID
            _ = replicas.pushes[0].answers.watch(record, from: .first, viewer: SilentViewer())
            #expect(try await eventually { try await viewers(of: id, bench) == 1 })
            // A later viewer, whose replica dies: when this one has expired, the first one would have, too.
            let other = try await submit(bench)
            let otherID = other.request.correlationID
            _ = replicas.pushes[1].answers.watch(other, from: .first, viewer: SilentViewer())
            #expect(try await eventually { try await viewers(of: otherID, bench) == 1 })
            replicas.pushes[1].close()
            #expect(try await eventually { !replicas.abandoned.isEmpty })
            #expect(replicas.abandoned == [otherID])
            #expect(try await bench.record(id).status == .queued)
            #expect(try await viewers(of: id, bench) == 1)
            let expiry = try #require(try await bench.redis("PTTL", bench.keys.viewers(id)).integer)
            #expect((1...5000).contains(expiry))
        }
    }

    @Test("a sweep that missed the last seconds cancels nothing until replicas had time to report their viewers")
    func doubt() async throws {
        try await withReplicas { replicas in
            let bench = replicas.bench
            let record = try await submit(bench)
            let id = record.request.correlationID
            replicas.pushes[0].answers.watch(record, from: .first, viewer: SilentViewer()).cancel()
            #expect(try await eventually { try await isDue(id, bench) })
            let start = bench.loop.nowMilliseconds
            try await replicas.startSweep()
            #expect(try await eventually { replicas.abandoned == [id] })
            let silence = Duration.milliseconds(bench.loop.nowMilliseconds - start)
            #expect(silence >= ViewerPresence.lifetime + Self.grace, "as after an outage of Redis")
        }
    }

    @Test("a request that is to continue leaves no trace of its viewers, nor does one that is over")
    func costsNothing() async throws {
        try await withReplicas { replicas in
            let bench = replicas.bench
            let calls = { () async throws -> Bool in
                let statistics = try await bench.redis("INFO", "commandstats").string ?? ""
                return statistics.contains("cmdstat_fcall:")
            }
            let record = try await submit(bench, .continue)
            try await bench.redis("CONFIG", "RESETSTAT")
            let viewer = SilentViewer()
            let place = replicas.pushes[0].answers.watch(record, from: .first, viewer: viewer)
            let feed = try await eventually { replicas.pushes[0].answers.feeds.count == 1 }
            place.cancel()
            #expect(feed)
            #expect(try await !calls())

            let over = try await submit(bench)
            let id = over.request.correlationID
            _ = replicas.pushes[0].answers.watch(over, from: .first, viewer: viewer)
            #expect(try await eventually { try await viewers(of: id, bench) == 1 })
            #expect(try await bench.cancel(id, .requested) == .over)
            #expect(try await eventually { viewer.end == .terminal })
            #expect(
                try await eventually {
                    try await bench.redis("EXISTS", bench.keys.viewers(id), bench.keys.watched(0)).integer == 0
                }
            )
        }
    }
}

import Application
import Domain
internal import EventLoop
internal import RedisClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("Ends that no worker writes are reported once, on Redis", .tags(.integration))
struct StoredEndTests {
    private final class Ends {
        private(set) var seen: [String] = []

        init(of store: RedisStore) {
            store.bus?.subscribe(to: RequestEndedWithoutWorker.self) { [unowned self] end in
                switch end {
                case .cancelled(let reason, let age): seen.append(age >= .zero ? reason.rawValue : "before it began")
                case .expired: seen.append("expired")
                case .failed(_, let kind, _): seen.append(kind.rawValue)
                }
            }
        }
    }

    @Test("a cancellation is reported by the call that ended the request, and by no other")
    func cancelled() async throws {
        try await withRedis { bench in
            let ends = Ends(of: bench.store)
            defer { withExtendedLifetime(ends) {} }
            let consumer = bench.consumer()
            let running = try await bench.claimed(by: consumer).request
            #expect(try await bench.cancel(running.correlationID, .requested) == .asked)
            #expect(ends.seen.isEmpty)
            let waiting = try await bench.submit()
            for _ in 0..<2 { #expect(try await bench.cancel(waiting.correlationID, .requested) == .over) }
            #expect(ends.seen == ["requested"])
            #expect(try await bench.cancel(bench.makeRequest().correlationID, .requested) == .unknown)
            #expect(ends.seen == ["requested"])
        }
    }

    @Test("an interruption and a deletion report each waiting request")
    func lines() async throws {
        try await withRedis { bench in
            let ends = Ends(of: bench.store)
            defer { withExtendedLifetime(ends) {} }
            let running = try await bench.claimed(by: bench.consumer()).request
            for _ in 0..<2 { try await bench.submit(after: running) }
            try await bench.submit(after: running, onBusy: .interrupt)
            #expect(ends.seen == ["interrupted", "interrupted"])
            #expect(try await bench.end(running))
            #expect(ends.seen.dropFirst(2) == ["conversation_deleted"])
            #expect(try await bench.end(running))
            #expect(ends.seen.count == 3, "there is nothing left to end")
        }
    }

    @Test("a request that expired in the queue is reported by the one claim that finds it missing")
    func expired() async throws {
        try await withRedis { bench in
            let retention = Retention(live: .milliseconds(100), afterEnd: .seconds(60), turns: 4)
            let store = bench.store(partitions: 1, retention: retention)
            defer { store.close() }
            let ends = Ends(of: store)
            defer { withExtendedLifetime(ends) {} }
            let request = bench.makeRequest()
            _ = try await RedisMessagePublisher(store: store, limits: .init(waiting: 10)).publish(
                request,
                in: .new,
                as: nil
            )
            let key = bench.keys.request(request.correlationID)
            #expect(try await eventually { try await bench.redis("EXISTS", key).integer == 0 })
            let terms = RedisMessageConsumer.Terms(lease: .seconds(30), attemptsMax: 3)
            let consumer = RedisMessageConsumer(
                store: store,
                consumer: "late",
                terms: terms
            )
            defer { consumer.close() }
            let delivery = try #require(try await eventualDelivery(consumer))
            for _ in 0..<2 {
                guard case .settled = try await consumer.claim(delivery, bench.plan()) else {
                    throw NeverHappened(what: "a claim of what is gone")
                }
            }
            #expect(ends.seen == ["expired"])
        }
    }

    @Test("a request that was cancelled and expired before its job was received is not reported as expired")
    func forgotten() async throws {
        try await withRedis { bench in
            let ends = Ends(of: bench.store)
            defer { withExtendedLifetime(ends) {} }
            let request = try await bench.submit()
            #expect(try await bench.cancel(request.correlationID, .requested) == .over)
            for key in [bench.keys.request(request.correlationID), bench.keys.events(request.correlationID)] {
                try await bench.redis("DEL", key)
            }
            let consumer = bench.consumer()
            let delivery = try #require(try await consumer.receive(upTo: 1).first)
            guard case .settled = try await consumer.claim(delivery, bench.plan()) else {
                throw NeverHappened(what: "a claim of what is gone")
            }
            #expect(ends.seen == ["requested"])
        }
    }

    /// The first submission makes the group.
    private func eventualDelivery(_ consumer: RedisMessageConsumer) async throws -> JobDelivery? {
        for _ in 0..<3 {
            if let delivery = try await consumer.receive(upTo: 1).first { return delivery }
        }
        return nil
    }
}

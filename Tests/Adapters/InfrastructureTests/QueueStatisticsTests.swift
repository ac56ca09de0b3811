import Application
import Domain
internal import EventLoop
import Instrumentation
internal import RedisClient
import Shared
import Telemetry
import TestSupport
import Testing

@testable import Infrastructure

@Suite("What the metrics tell of the queue, on Redis", .tags(.integration))
struct QueueSurveyTests {
    private struct Seen {
        let registry = MetricsRegistry()
        let metrics: LemmaMetrics

        init() { metrics = LemmaMetrics(registry) }

        /// Nil where a scrape leaves it out.
        func value(_ name: String) -> Double? {
            registry.render().split(separator: "\n").first { $0.hasPrefix(name + " ") }
                .flatMap { Double($0.dropFirst(name.count + 1)) }
        }
    }

    @Test("each job is counted where it is, and the oldest by its age and its owner's silence")
    func levels() async throws {
        try await withRedis { bench in
            let seen = Seen()
            let statistics = QueueStatistics(store: bench.store, metrics: seen.metrics.queue)
            await statistics.refresh()
            #expect(seen.value("lemma_queue_waiting_jobs") == 0, "without stream and group, too")
            #expect(seen.value("lemma_queue_oldest_waiting_seconds") == 0)

            let consumer = bench.consumer(attemptsMax: 1)
            let given = try await bench.claimed(by: consumer)
            #expect(
                try await consumer.finish(bench.finished(given), at: .afterLast, letter: .attemptsExhausted)
                    == .finished
            )
            let postponed = try await bench.claimed(by: bench.consumer())
            _ = try await bench.consumer().scheduleRetry(
                postponed,
                for: .seconds(60),
                .providerFailed,
                RequestFailure(kind: .providerFailed, detail: ""),
                answer: "",
            )
            let claimed = try await bench.claimed(by: consumer)
            try await bench.submit(after: claimed.request)
            for _ in 0..<3 { _ = try await bench.submit() }
            let (age, silence) = ("lemma_queue_oldest_waiting_seconds", "lemma_queue_oldest_claim_idle_seconds")
            let hasAged = try await eventually {
                await statistics.refresh()
                return (seen.value(age) ?? 0) >= 0.05 && (seen.value(silence) ?? 0) >= 0.05
            }
            #expect(hasAged)
            #expect(seen.value("lemma_queue_waiting_jobs") == 3)
            #expect(seen.value("lemma_queue_claimed_jobs") == 1)
            #expect(seen.value("lemma_queue_delayed_jobs") == 1)
            #expect(seen.value("lemma_queue_dead_letters") == 1)
            #expect(seen.value("lemma_queue_lined_up_requests") == 1)
            #expect(try (0.05..<60).contains(#require(seen.value(age))))
            #expect(try (0.05..<60).contains(#require(seen.value(silence))))

            try await consumer.release([claimed.delivery])
            await statistics.refresh()
            #expect(try #require(seen.value(silence)) < 60, "since it was handed back, not the day that makes it due")
            #expect(seen.value("lemma_queue_claimed_jobs") == 1)
        }
    }

    @Test("partitions are summed")
    func partitions() async throws {
        try await withRedis { bench in
            let store = bench.store(partitions: 4)
            defer { store.close() }
            let publisher = RedisMessagePublisher(store: store, limits: .init(waiting: 1000))
            for _ in 0..<40 { _ = try await publisher.publish(bench.makeRequest(), in: .new, as: nil) }
            let seen = Seen()
            await QueueStatistics(store: store, metrics: seen.metrics.queue).refresh()
            #expect(seen.value("lemma_queue_waiting_jobs") == 40)
        }
    }

    @Test("nothing is reported while Redis does not answer")
    func outage() async throws {
        try await withRedis { bench in
            let seen = Seen()
            #expect(seen.value("lemma_queue_waiting_jobs") == nil, "before the first look")
            _ = try await bench.submit()
            let statistics = QueueStatistics(store: bench.store, metrics: seen.metrics.queue)
            await statistics.refresh()
            #expect(seen.value("lemma_queue_waiting_jobs") == 1)
            bench.server.pause()
            await statistics.refresh()
            bench.server.resume()
            #expect(seen.value("lemma_queue_waiting_jobs") == nil)
            #expect(
                try await eventually {
                    await statistics.refresh()
                    return seen.value("lemma_queue_waiting_jobs") == 1
                }
            )
        }
    }
}

import Application
import Domain
import RedisClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("Requests whose jobs an operator removed from the queue", .tags(.integration))
struct OrphanSweepTests {
    private let nobody = ProviderIdentity(name: "mock", model: "mock-1")

    /// A sweep that examines every job, with a lease of zero.
    private func sweep(_ bench: RedisBench, lease: Duration = .zero) -> OrphanSweep {
        OrphanSweep(store: bench.store, consumer: bench.consumer("sweep"), lease: lease, choice: nobody)
    }

    @Test("end, whether they wait or run, each with one terminal event, a dead letter and its record")
    func trimmed() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            var requests: [MathRequest] = []
            for _ in 0..<6 { requests.append(try await bench.submit()) }
            for _ in 0..<3 { _ = try await bench.claimNext(by: consumer) }
            try await bench.redis("XTRIM", bench.keys.jobs(0), "MAXLEN", "0")
            await sweep(bench).sweep()
            for (number, request) in requests.enumerated() {
                let names = try await bench.eventNames(of: request.correlationID)
                #expect(names.filter { $0.hasSuffix("failed") } == [number < 3 ? "2-0 failed" : "1-0 failed"])
                let record = try await bench.record(request.correlationID)
                #expect(record.status == .failed)
                #expect(record.failure?.kind == .removedFromQueue)
            }
            #expect(try await bench.redis("XLEN", bench.keys.dead(0)).integer == 6)
            #expect(try await bench.redis("XLEN", bench.keys.finished(0)).integer == 12)
            #expect(try await bench.redis("ZCARD", bench.keys.unfinished(0)).integer == 0)
            await sweep(bench).sweep()
            #expect(try await bench.redis("XLEN", bench.keys.dead(0)).integer == 6)
        }
    }

    @Test("one of many is found in one sweep, and one that cannot be read does not hold the others up")
    func many() async throws {
        try await withRedis { bench in
            var requests: [MathRequest] = []
            for _ in 0..<250 { requests.append(try await bench.submit()) }
            let entries = try await bench.redis("XRANGE", bench.keys.jobs(0), "-", "+").array ?? []
            for index in [3, 240] {
                try await bench.redis("XDEL", bench.keys.jobs(0), entries[index].array?.first?.string ?? "")
            }
            try await bench.redis("SET", bench.keys.request(requests[3].correlationID), "something else")
            await sweep(bench).sweep()
            #expect(try await bench.record(requests[240].correlationID).status == .failed)
            #expect(try await bench.eventNames(of: requests[3].correlationID).last == "0-2 failed")
            #expect(try await bench.redis("ZCARD", bench.keys.unfinished(0)).integer == 248)
            #expect(try await bench.redis("XLEN", bench.keys.dead(0)).integer == 2)
        }
    }

    @Test("a worker that still has such a job is fenced, and what it had written stays")
    func running() async throws {
        try await withRedis { bench in
            let claim = try await bench.claimed(by: bench.consumer())
            #expect(try await bench.append("1-1", "x = ", to: claim) == 1)
            try await bench.redis("XDEL", bench.keys.jobs(0), claim.delivery.entry)
            await sweep(bench).sweep()
            let names = try await bench.eventNames(of: claim.request.correlationID)
            #expect(names == ["0-1 queued", "1-0 started", "1-1 token", "2-0 failed"])
            let records = try await bench.redis("XREVRANGE", bench.keys.finished(0), "+", "-", "COUNT", "1").array ?? []
            #expect(records.first?.array?.last?.fields["answer"] == "x = ")
            await #expect(throws: RedisError.self) { _ = try await bench.append("1-2", "2", to: claim) }
        }
    }

    @Test("an acknowledged entry that was not deleted is no job either")
    func acknowledged() async throws {
        try await withRedis { bench in
            let claim = try await bench.claimed(by: bench.consumer())
            try await bench.redis("XACK", bench.keys.jobs(0), Keyspace.group, claim.delivery.entry)
            await sweep(bench).sweep()
            #expect(try await bench.record(claim.request.correlationID).status == .failed)
        }
    }

    @Test("an abort ends a running one at once, and one that was requested before the sweep ends as cancelled")
    func aborted() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let first = try await bench.claimed(by: consumer)
            #expect(try await bench.cancel(first.request.correlationID, .requested) == .asked)
            let second = try await bench.claimed(by: consumer)
            try await bench.redis("XTRIM", bench.keys.jobs(0), "MAXLEN", "0")
            #expect(try await bench.append("1-1", "x = 2 \u{1F600}", to: second) == 1)
            let control = ChannelRecorder()
            let subscriber = RedisSubscriber(bench.configuration, on: bench.loop, delegate: control)
            defer { subscriber.close() }
            try await subscriber.subscribe(to: bench.keys.control(0), deadline: .seconds(5))
            #expect(try await bench.cancel(second.request.correlationID, .requested) == .over)
            #expect(try await bench.record(second.request.correlationID).status == .cancelled)
            let told = "cancel \(second.request.correlationID) requested"
            #expect(try await eventually { control.messages == [told] }, "a worker that has it cuts its call")
            let records = try await bench.redis("XREVRANGE", bench.keys.finished(0), "+", "-", "COUNT", "1").array ?? []
            #expect(records.first?.array?.last?.fields["answer"] == "x = 2 \u{1F600}")
            await sweep(bench).sweep()
            #expect(try await bench.eventNames(of: first.request.correlationID).last == "1-1 cancelled")
        }
    }

    @Test("waiting, running, postponed, promoted and queued requests are not changed")
    func known() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let failure = RequestFailure(kind: .providerFailed, detail: "broken")
            let postponed = try await bench.claimed(by: consumer)
            _ = try await consumer.scheduleRetry(postponed, for: .seconds(60), .providerFailed, failure, answer: "")
            let promoted = try await bench.claimed(by: consumer)
            _ = try await consumer.scheduleRetry(promoted, for: .zero, .providerFailed, failure, answer: "")
            #expect(try await eventually { (try? await consumer.enqueueDue(upTo: 9)) == 1 })
            let running = try await bench.submit()
            _ = try await consumer.receive(upTo: 2)
            let lined = try await bench.submit(after: running)
            let waiting = try await bench.submit()
            await sweep(bench).sweep()
            for id in [postponed, promoted].map(\.request.correlationID)
                + [running, lined, waiting].map(\.correlationID)
            {
                #expect(try await bench.record(id).status.isTerminal == false)
            }
            #expect(try await bench.redis("ZCARD", bench.keys.unfinished(0)).integer == 5)
        }
    }

    @Test("a job that a release before 1.1 promoted is found under its new entry")
    func promotedByAnEarlierRelease() async throws {
        try await withRedis { bench in
            let claim = try await bench.claimed(by: bench.consumer())
            let id = claim.request.correlationID
            try await bench.redis("XDEL", bench.keys.jobs(0), claim.delivery.entry)
            try await bench.redis("XADD", bench.keys.jobs(0), "*", "v", "1", "id", id.description, "provider", "")
            await sweep(bench).sweep()
            #expect(try await bench.record(id).status == .running)
            await sweep(bench).sweep()
            #expect(try await bench.record(id).status == .running)
        }
    }

    @Test("a job that was seen within the lease is not examined")
    func fresh() async throws {
        try await withRedis { bench in
            let request = try await bench.submit()
            try await bench.redis("XTRIM", bench.keys.jobs(0), "MAXLEN", "0")
            await sweep(bench, lease: .seconds(30)).sweep()
            #expect(try await bench.record(request.correlationID).status == .queued)
        }
    }
}

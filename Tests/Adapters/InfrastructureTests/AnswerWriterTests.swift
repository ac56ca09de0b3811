import Application
import Domain
import EventLoop
import FoundationEssentials
import RedisClient
import Shared
import Telemetry
import TestSupport
import Testing

@testable import Infrastructure

@Suite("Writing an answer to Redis", .tags(.integration))
struct AnswerWriterTests {
    private struct Text: Decodable {
        let text: String
    }

    /// The text of every token event, in the order of the stream; checks that ids are dense.
    private func tokens(_ bench: RedisBench, of claim: JobClaim) async throws -> [String] {
        let entries = try await bench.redis("XRANGE", bench.keys.events(claim.request.correlationID), "-", "+")
        let events = (entries.array ?? []).compactMap { StoredEvent($0) }.filter { $0.id.attempt == claim.attempt }
        #expect(events.map(\.id.sequence) == Array(0..<UInt64(events.count)))
        return try events.dropFirst().map { try JSONDecoder().decode(Text.self, from: Data($0.data)).text }
    }

    private func isSame(_ one: String, _ other: String) -> Bool { one.utf8.elementsEqual(other.utf8) }

    @Test("the first text is sent at once; text that arrives while it is in flight is joined into one event")
    func joining() async throws {
        try await withRedis { bench in
            let claim = try await bench.claimed(by: bench.consumer())
            let writer = bench.writers.writer(for: claim)
            for text in ["a", "b", "c"] { writer.append(.token, text) }
            writer.append(.reasoning, "hm")
            for text in ["d", "e"] { writer.append(.token, text) }
            #expect(try await writer.flush() == EventID(attempt: 1, sequence: 4))
            #expect(
                try await bench.events(of: claim.request.correlationID).dropFirst(2) == [
                    #"1-1 token {"text":"a"}"#, #"1-2 token {"text":"bc"}"#, #"1-3 reasoning {"text":"hm"}"#,
                    #"1-4 token {"text":"de"}"#,
                ]
            )
            #expect(try await writer.flush() == EventID(attempt: 1, sequence: 4), "nothing more to write")
            #expect(bench.appends.snapshot().counts.prefix(2) == [2, 2] && bench.appends.snapshot().sum == 6)
        }
    }

    @Test("text comes out of the stream byte for byte as it went in", arguments: [11, 12] as [UInt64])
    func exact(seed: UInt64) async throws {
        try await withRedis { bench in
            var random = SeededRandom(seed: seed)
            let claim = try await bench.claimed(by: bench.consumer())
            let writer = bench.writers.writer(for: claim)
            var whole = ""
            for _ in 0..<400 {
                let text = random.text(scalars: Int.random(in: 1...60, using: &random))
                whole += text
                writer.append(.token, text)
                if random.next() % 16 == 0 { try await turn(bench.loop, times: 1) }
            }
            _ = try await writer.flush()
            let stored = try await tokens(bench, of: claim).joined()
            #expect(isSame(stored, whole), "seed \(seed)")
            #expect(isSame(try await bench.repository.answer(of: claim.request.correlationID) ?? "", whole))
        }
    }

    @Test("joined events stay within 16 KiB of text, and a full writer lets the provider wait")
    func limits() async throws {
        try await withRedis { bench in
            let claim = try await bench.claimed(by: bench.consumer())
            let writer = bench.writers.writer(for: claim)
            let part = String(repeating: "x", count: 1000)
            for _ in 0..<200 { writer.append(.token, part) }
            var hasRoom = false
            let waiting = bench.loop.spawn { hasRoom = (try? await writer.waitForRoom()) != nil }
            #expect(!hasRoom, "200 kB are queued")
            await waiting.value
            #expect(hasRoom)
            _ = try await writer.flush()
            let sizes = try await tokens(bench, of: claim).map(\.utf8.count)
            #expect(sizes.reduce(0, +) == 200_000)
            #expect(sizes.allSatisfy { $0 <= 16_384 })
            #expect(sizes.count == 14, "one alone, then thirteen as full as they can be")
        }
    }

    @Test("a cancelled wait ends at once and the text is written all the same")
    func cancelledWait() async throws {
        try await withRedis { bench in
            let claim = try await bench.claimed(by: bench.consumer())
            let writer = bench.writers.writer(for: claim)
            bench.server.pause()
            for _ in 0..<80 { writer.append(.token, String(repeating: "x", count: 1000)) }
            var failure: AnswerWriteFailure?
            let waiting = bench.loop.spawn {
                do throws(AnswerWriteFailure) { try await writer.waitForRoom() } catch { failure = error }
            }
            waiting.cancel()
            await waiting.value
            #expect(failure == .cancelled)
            bench.server.resume()
            _ = try await writer.flush()
            #expect(try await tokens(bench, of: claim).joined().utf8.count == 80_000)
        }
    }

    @Test("connections that are cut again and again lose nothing and repeat nothing")
    func cutConnections() async throws {
        try await withRedis { bench in
            let claim = try await bench.claimed(by: bench.consumer())
            let writer = bench.writers.writer(for: claim)
            var whole = ""
            for round in 0..<8 {
                for number in 0..<40 {
                    let text = "\(round).\(number) "
                    whole += text
                    writer.append(.token, text)
                    // The pace of the provider.
                    if number % 4 == 0 { try await bench.loop.sleep(for: .milliseconds(1)) }
                    if number == 20 { try await bench.redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes") }
                }
            }
            _ = try await writer.flush()
            #expect(try await tokens(bench, of: claim).joined() == whole)
        }
    }

    @Test("a newer attempt stops the older one's writer at once")
    func fenced() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let claim = try await bench.claimed(by: consumer)
            let writer = bench.writers.writer(for: claim)
            var failures: [AnswerWriteFailure] = []
            writer.onFailure = { failures.append($0) }
            writer.append(.token, "a")
            _ = try await writer.flush()
            _ = try await consumer.claim(claim.delivery, bench.plan())
            writer.append(.token, "b")
            await #expect(throws: AnswerWriteFailure.fenced) { _ = try await writer.flush() }
            await #expect(throws: AnswerWriteFailure.fenced) { try await writer.waitForRoom() }
            writer.append(.token, "c")
            #expect(failures == [.fenced], "reported once")
            #expect(try await bench.eventNames(of: claim.request.correlationID).last == "2-0 restarted")
        }
    }

    @Test("another caller's end of the request at the writer's next id is not mistaken for its own event")
    func endedByAnother() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let claim = try await bench.claimed(by: consumer)
            let writer = bench.writers.writer(for: claim)
            writer.append(.token, "a")
            _ = try await writer.flush()
            let end = bench.finished(claim, .cancelled(.requested))
            #expect(try await consumer.finish(end, at: .afterLast) == .finished)
            writer.append(.token, "b")
            writer.append(.token, "c")
            await #expect(throws: AnswerWriteFailure.fenced) { _ = try await writer.flush() }
            #expect(try await bench.eventNames(of: claim.request.correlationID).last == "1-2 cancelled")
        }
    }

    @Test("an expired stream is not brought back")
    func gone() async throws {
        try await withRedis { bench in
            let claim = try await bench.claimed(by: bench.consumer())
            let writer = bench.writers.writer(for: claim)
            let key = bench.keys.events(claim.request.correlationID)
            try await bench.redis("DEL", key)
            writer.append(.token, "a")
            await #expect(throws: AnswerWriteFailure.gone) { _ = try await writer.flush() }
            #expect(try await bench.redis("EXISTS", key).integer == 0)
        }
    }

    @Test("history that Redis lost over a reconnect is noticed before anything is written after the hole")
    func historyLost() async throws {
        try await withRedis { bench in
            let claim = try await bench.claimed(by: bench.consumer())
            let writer = bench.writers.writer(for: claim)
            for text in ["a", "b", "c"] {
                writer.append(.token, text)
                _ = try await writer.flush()
            }
            let key = bench.keys.events(claim.request.correlationID)
            let entries = try await bench.redis("XRANGE", key, "-", "+").array ?? []
            // As after a restart from an older state: the stream anew, without its last event.
            try await bench.redis("DEL", key)
            for entry in entries.dropLast().compactMap({ StoredEvent($0) }) {
                let data = String(decoding: entry.data, as: UTF8.self)
                try await bench.redis("XADD", key, entry.id.description, "e", entry.name.rawValue, "d", data)
            }
            let before = bench.store.connection(of: 0).generation
            try await bench.redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            try await eventually("a new connection", on: bench.loop) {
                bench.store.connection(of: 0).generation > before
            }
            writer.append(.token, "d")
            await #expect(throws: AnswerWriteFailure.historyLost) { _ = try await writer.flush() }
            #expect(try await bench.eventNames(of: claim.request.correlationID).last == "1-2 token")
            let lost = try await bench.record(claim.request.correlationID).lost
            #expect(Set(lost) == [EventID(attempt: 1, sequence: 4)], "clients may have what was sent last")
        }
    }

    @Test("nothing is written behind another's event that has got the id of the last one written here")
    func anothersEvent() async throws {
        try await withRedis { bench in
            let claim = try await bench.claimed(by: bench.consumer())
            let (id, key) = (claim.request.correlationID, bench.keys.events(claim.request.correlationID))
            let writer = bench.writers.writer(for: claim)
            writer.append(.token, "a")
            #expect(try await writer.flush().description == "1-1")
            // Redis is back without it, and the request was ended there meanwhile.
            try await bench.redis("DEL", key)
            for (event, name) in [("0-1", "queued"), ("1-0", "started"), ("1-1", "cancelled")] {
                try await bench.redis("XADD", key, event, "e", name, "d", "{}")
            }
            let before = bench.store.connection(of: 0).generation
            try await bench.redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            try await eventually("a new connection", on: bench.loop) {
                bench.store.connection(of: 0).generation > before
            }
            writer.append(.token, "b")
            await #expect(throws: AnswerWriteFailure.fenced) { _ = try await writer.flush() }
            #expect(try await bench.eventNames(of: id).last == "1-1 cancelled")
        }
    }

    @Test("the library is loaded again when it vanishes in mid-stream")
    func functionFlush() async throws {
        try await withRedis { bench in
            let claim = try await bench.claimed(by: bench.consumer())
            let writer = bench.writers.writer(for: claim)
            var whole = ""
            for number in 0..<60 {
                whole += "\(number) "
                writer.append(.token, "\(number) ")
                if number % 20 == 10 { try await bench.redis("FUNCTION", "FLUSH") }
            }
            _ = try await writer.flush()
            #expect(try await tokens(bench, of: claim).joined() == whole)
        }
    }

    @Test("writing continues after a restart of Redis with its append-only file")
    func restart() async throws {
        var options = RedisServer.Options()
        options.appendOnly = true
        try await withRedis(options) { bench in
            let claim = try await bench.claimed(by: bench.consumer())
            let writer = bench.writers.writer(for: claim)
            var failures: [AnswerWriteFailure] = []
            writer.onFailure = { failures.append($0) }
            writer.append(.token, "before ")
            _ = try await writer.flush()
            writer.append(.token, "meanwhile ")
            try bench.server.restart()
            for number in 0..<5 { writer.append(.token, "\(number) ") }
            _ = try await writer.flush()
            #expect(failures.isEmpty)
            #expect(try await tokens(bench, of: claim).joined() == "before meanwhile 0 1 2 3 4 ")
        }
    }

    @Test("text that waited for a connection does not follow a stream that has become shorter")
    func shorterStream() async throws {
        try await withRedis { bench in
            let claim = try await bench.claimed(by: bench.consumer())
            let id = claim.request.correlationID
            let writer = bench.writers.writer(for: claim)
            writer.append(.token, "x ")
            #expect(try await writer.flush().description == "1-1")

            try await bench.redis("XDEL", bench.keys.events(id), "1-1")
            try await bench.redis("CLIENT", "KILL", "TYPE", "normal")
            try await eventually("the lost connection is noticed", on: bench.loop) {
                !bench.store.connection(of: 0).isConnected
            }
            writer.append(.token, "= ")
            await #expect(throws: AnswerWriteFailure.historyLost) { try await writer.flush() }
            #expect(try await bench.eventNames(of: id) == ["0-1 queued", "1-0 started"])
        }
    }
}

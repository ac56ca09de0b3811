import Application
import Domain
import RedisClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("The memory of Redis, as docs/operations.md sums it", .tags(.integration))
struct MemoryTableTests {
    private struct Row {
        let bytes: Int
        let count: Int
    }

    /// What Redis holds for a key's expiry besides what `MEMORY USAGE` counts.
    private static let expiryBytes = 32
    private static let tokens = 500

    private static func file(_ path: String) -> String {
        let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        return textOfFile("/\(root)/\(path)")
    }

    /// The rows of the table by their first word.
    private static func table() throws -> [String: Row] {
        let lines = file("docs/operations.md").split(separator: "\n")
        let head = try #require(lines.firstIndex { $0.hasPrefix("| kept in Redis |") })
        var rows: [String: Row] = [:]
        for line in lines[(head + 2)...].prefix(while: { $0.hasPrefix("|") }) {
            let cells = line.split(separator: "|").map { $0.filter { $0 != "," } }
            let numbers = cells[1...2].compactMap { Int($0.filter { !$0.isWhitespace }) }
            guard numbers.count == 2 else { continue }
            rows[cells[0].split(separator: " ").first.map(String.init) ?? ""] = Row(
                bytes: numbers[0],
                count: numbers[1]
            )
        }
        return rows
    }

    private static func maxmemory() throws -> Int {
        let line = file("k8s/base/redis.conf").split(separator: "\n").first { $0.hasPrefix("maxmemory ") }
        let text = try #require(line).dropFirst("maxmemory ".count)
        return try #require(Int(text.dropLast(2))) << 30
    }

    private func usage(_ keys: [String], _ bench: RedisBench) async throws -> Int {
        var sum = 0
        for key in keys {
            let reply = try await bench.redis("MEMORY", "USAGE", key, "SAMPLES", "0")
            sum += try #require(reply.integer) + Self.expiryBytes
        }
        return sum
    }

    /// One of each kind: a request with its events, one that is over, its conversation, records and dead letters.
    private func measure(_ bench: RedisBench) async throws -> [String: Int] {
        try await bench.redis("CONFIG", "SET", "stream-node-max-bytes", "1024")
        let fingerprints = SHA256Fingerprinting()
        let submission = IdempotentSubmission(
            name: fingerprints.fingerprint("a client's key"),
            meaning: fingerprints.fingerprint("a problem"),
        )
        let request = bench.makeRequest()
        _ = try await bench.publisher().publish(request, in: .new, as: submission)
        let consumer = bench.consumer()
        let claim = try await bench.claimNext(by: consumer)
        for number in 1...Self.tokens { _ = try await bench.append("1-\(number)", "token ", to: claim) }
        let answer = String(repeating: "token ", count: Self.tokens)
        let failure = RequestFailure(kind: .providerFailed, detail: "The provider broke off.")
        let end = bench.finished(claim, .failed(failure), answer: answer)
        #expect(try await consumer.finish(end, at: .afterLast, letter: .attemptsExhausted) == .finished)
        let id = request.correlationID
        let queue = try await bench.recordQueue()
        let records = try await usage([bench.keys.finished(0)], bench)
        for record in try await queue.receive(upTo: 9, waiting: false) {
            try await queue.deadLetter(record, detail: "no")
        }
        return [
            "request": try await usage([bench.keys.request(id), bench.keys.events(id)], bench),
            "conversation": try await usage(
                [bench.keys.conversation(request.conversationID), bench.keys.turns(request.conversationID)],
                bench,
            ),
            "idempotency": try await usage([bench.keys.submission(submission.name).once], bench),
            // Two of a request: of its submission and of its end.
            "record": records / 2,
            "job": try await usage([bench.keys.dead(0)], bench),
            "refused": try await usage([bench.keys.finishedDead(0)], bench) / 2,
            "caller": try await callerUsage(bench),
        ]
    }

    /// The counters of a user with as many active requests as the standard limit allows, each with a reservation.
    private func callerUsage(_ bench: RedisBench) async throws -> Int {
        let rate = RequestRate.perMinute(60)
        let admission = bench.admission(.init(rate: rate, active: 4, tokens: 1_000_000))
        let caller = Callers()
        for _ in 0..<4 { #expect(await admission.result(caller.user, bench.makeRequest(), tokens: 10_000).isAdmitted) }
        var counters: [String] = []
        for kind in ["rate", "active", "tokens"] {
            counters += (try await bench.redis("KEYS", "lemma:*:\(kind):*").array ?? []).compactMap(\.string)
        }
        #expect(counters.count == 3)
        return try await usage(counters, bench)
    }

    @Test("each row says what one takes, and all together fit the manifests' maxmemory")
    func sum() async throws {
        let rows = try Self.table()
        let maxmemory = try Self.maxmemory()
        try await withRedis { bench in
            let measured = try await measure(bench)
            #expect(Set(rows.keys) == Set(measured.keys), "\(measured)")
            for (kind, bytes) in measured {
                let stated = try #require(rows[kind], "\(measured)").bytes
                #expect(
                    (stated / 2...stated).contains(bytes),
                    "one \(kind) takes \(bytes) bytes, the table says \(stated)"
                )
            }
        }
        let sum = rows.values.reduce(0) { $0 + $1.bytes * $1.count }
        #expect(sum < maxmemory, "\(sum) of \(maxmemory) bytes")
    }
}

import EventLoop
import RedisClient
import TestSupport
import Testing

@testable import Infrastructure

@Suite("The readiness of Redis", .tags(.integration))
struct ReadinessProbeTests {
    @Test(
        "fails for a key of another type, and names it",
        arguments: [
            ("lemma:{p0}:jobs", "stream"), ("lemma:{p0}:finished", "stream"), ("lemma:{p0}:dead", "stream"),
            ("lemma:{p0}:delayed", "zset"), ("lemma:{p0}:unfinished", "zset"),
        ]
    )
    func mistyped(_ key: String, _ expected: String) async throws {
        try await withRedis { bench in
            try await bench.store.probe()
            try await bench.redis("SET", key, "x")
            let failure = ProbeFailure.mistypedKey(key, type: "string", expected: expected)
            await #expect(throws: failure) { try await bench.store.probe() }
            #expect("\(failure)" == "the key \(key) is a string and must be a \(expected); rename or delete it")
            try await bench.redis("DEL", key)
            try await bench.store.probe()
        }
    }

    @Test("checks the permissions with each fresh connection, and not with each probe")
    func permissions() async throws {
        try await withRedis { bench in
            /// The check is the only caller of this command here.
            func checks() async throws -> Int {
                let text = try await bench.redis("INFO", "commandstats").string ?? ""
                let line = text.split(separator: "\r\n").first { $0.hasPrefix("cmdstat_xgroup|delconsumer:calls=") }
                return line.flatMap { Int($0.split(separator: "=")[1].prefix { $0.isNumber }) } ?? 0
            }
            for _ in 0..<10 { try await bench.store.probe() }
            #expect(try await checks() == 1)
            let before = bench.store.connection(of: 0).generation
            try await bench.redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            try await eventually("a new connection", on: bench.loop) {
                bench.store.connection(of: 0).generation > before
            }
            for _ in 0..<10 { try await bench.store.probe() }
            #expect(try await checks() == 2)
        }
    }
}

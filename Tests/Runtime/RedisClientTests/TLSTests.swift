import Cryptography
import EventLoop
import RedisClient
import TestSupport
import Testing

@Suite("Redis over TLS", .tags(.integration), .timeLimit(.minutes(1)))
struct TLSTests {
    @Test("commands, large values and messages pass, by host name and by address")
    func trusted() async throws {
        let certificate = try TestCertificate()
        try await server(certificate) { server in
            try await onLoop { loop in
                let tls = try TLSContext.client(trusting: certificate.authorityFile)
                for host in ["localhost", "127.0.0.1"] {
                    let url = try RedisURL("rediss://\(host):\(server.tlsPort)")
                    var configuration = try RedisConfiguration(url: url, tls: tls)
                    configuration.waitLimit = .seconds(10)
                    let redis = RedisCommander(configuration, on: loop)
                    defer { redis.close() }
                    let value = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
                    _ = try await redis.call(RedisCommand("SET", "key", value), deadline: .seconds(20))
                    #expect(try await redis.call(RedisCommand("GET", "key"), deadline: .seconds(20)) == .bytes(value))
                    var answers: [Int] = []
                    _ = try await redis.call(RedisCommand("DEL", "counter"), deadline: .seconds(20))
                    for _ in 0..<5000 {
                        redis.send(RedisCommand("INCR", "counter"), deadline: .seconds(20)) { result in
                            answers.append((try? result.get().integer) ?? -1)
                        }
                    }
                    try await eventually("all answers", on: loop) { answers.count == 5000 }
                    #expect(answers == Array(1...5000))
                }
            }
        }
    }

    @Test("a certificate of another authority, of an unknown one and for a wrong name is rejected")
    func refused() async throws {
        let certificate = try TestCertificate(names: "DNS:redis.example.org")
        let stranger = try TestCertificate()
        try await server(certificate) { server in
            try await onLoop { loop in
                let own = try TLSContext.client(trusting: certificate.authorityFile)
                let other = try TLSContext.client(trusting: stranger.authorityFile)
                let expected: [(TLSContext?, String, String)] = [
                    (other, "localhost", "certificate: self-signed certificate in certificate chain"),
                    (nil, "localhost", "certificate: self-signed certificate in certificate chain"),
                    (own, "localhost", "certificate: hostname mismatch"),
                    (own, "127.0.0.1", "certificate: IP address mismatch"),
                ]
                for (tls, host, why) in expected {
                    let url = try RedisURL("rediss://\(host):\(server.tlsPort)")
                    var configuration = try RedisConfiguration(url: url, tls: tls)
                    configuration.waitLimit = .seconds(2)
                    let redis = RedisCommander(configuration, on: loop)
                    defer { redis.close() }
                    let error = await failure { () async throws(RedisError) in
                        try await redis.call(RedisCommand("PING"), deadline: .seconds(5))
                    }
                    guard case .notConnected(let reason) = error else { throw NeverHappened(what: "a refusal") }
                    #expect(reason == "\(host):\(server.tlsPort): \(why)")
                }
            }
        }
    }

    @Test("a server without TLS is rejected")
    func plainServer() async throws {
        try await RedisServer.running { server in
            try await onLoop { loop in
                var configuration = try RedisConfiguration(url: RedisURL("rediss://127.0.0.1:\(server.port)"))
                configuration.waitLimit = .seconds(2)
                configuration.connectLimit = .milliseconds(300)
                let redis = RedisCommander(configuration, on: loop)
                defer { redis.close() }
                let error = await failure { () async throws(RedisError) in
                    try await redis.call(RedisCommand("PING"), deadline: .seconds(5))
                }
                guard case .notConnected = error else { throw NeverHappened(what: "a refusal") }
            }
        }
    }

    private func server(_ certificate: TestCertificate, _ body: (RedisServer) async throws -> Void) async throws {
        var options = RedisServer.Options()
        options.certificate = certificate
        try await RedisServer.running(options, body)
    }
}

import Glibc
import TestSupport
import Testing

@Suite("What readiness says of servers that cannot be reached", .tags(.system))
struct ReadinessTests {
    /// Starts an API replica, returns the body of its `/readyz` once `isMeant` accepts it, and ends it.
    private static func readiness(
        _ changes: [String: String],
        _ isMeant: @escaping @Sendable (RawResponse) -> Bool
    ) async throws -> RawResponse {
        try await onOwnThreads {
            let folder = try TemporaryDirectory()
            let settings = [
                "PATH": "/usr/bin", "REDIS_URL": "redis://127.0.0.1:1", "DATABASE_URL": "postgres://127.0.0.1:1/none",
                "JWT_SECRET": "a secret that only this test knows and nobody else", "AI_PROVIDERS": "mock",
                "HTTP_HOST": "127.0.0.1", "HTTP_PORT": "0", "OPS_HOST": "127.0.0.1", "OPS_PORT": "0",
                "EVENT_LOOPS": "1", "LOG_FORMAT": "json", "DRAIN_GRACE": "0s",
            ]
            let environment = settings.merging(changes) { $1 }
            let log = "\(folder.path)/api.log"
            let starting = try Replica.start("api", environment: environment, logPath: log)
            defer {
                starting.process.signal(SIGKILL)
                _ = starting.process.waitForExit(within: .seconds(10))
            }
            let api = try starting.ready()
            let deadline = ContinuousClock.now + .seconds(20)
            while true {
                let response = try HTTPCall.send("GET", port: api.opsPort, "/readyz")
                if isMeant(response) { return response }
                guard ContinuousClock.now < deadline else {
                    throw ChildProcessError(description: "readiness stays \(response.body)")
                }
                usleep(20_000)
            }
        }
    }

    @Test("PostgreSQL that was away since the start is called unreachable, not without migrations")
    func postgresAway() async throws {
        try await RedisServer.running { redis in
            let response = try await Self.readiness(["REDIS_URL": redis.url]) {
                $0.body.contains(#""redis":{"status":"up""#)
            }
            #expect(response.status == 503)
            #expect(
                response.body.contains(#""reason":"postgres cannot be reached since the start: "#),
                "\(response.body)"
            )
            #expect(response.body.contains(#""postgres":{"status":"down","reason":""#))
            #expect(response.body.contains("Connection refused"))
            #expect(!response.body.contains("migrations"))
        }
    }

    @Test(
        "why a certificate of Redis is refused stands in the reason",
        arguments: [
            ("signed by itself", "self-signed certificate"), ("another name", "IP address mismatch"),
            ("expired", "certificate has expired"), ("no client's certificate", "certificate required"),
        ]
    )
    func certificates(fault: String, words: String) async throws {
        var options = RedisServer.Options()
        let certificate = try TestCertificate(
            names: fault == "another name" ? "DNS:elsewhere.example" : "DNS:localhost,IP:127.0.0.1",
            expired: fault == "expired",
        )
        options.certificate = certificate
        var files = ["REDIS_TLS_CA": certificate.authorityFile]
        switch fault {
        case "signed by itself":
            options.arguments = [
                "--tls-cert-file", certificate.authorityFile, "--tls-key-file", certificate.authorityKeyFile,
            ]
            files = [:]
        case "no client's certificate": options.arguments = ["--tls-auth-clients", "yes"]
        case _: break
        }
        try await RedisServer.running(options) { redis in
            let settings = files.merging(["REDIS_URL": "rediss://127.0.0.1:\(redis.tlsPort)"]) { $1 }
            let response = try await Self.readiness(settings) { $0.body.contains("certificate") }
            #expect(response.status == 503)
            #expect(response.body.contains(#""reason":"redis is not writable: "#), "\(response.body)")
            #expect(response.body.contains(words), "\(response.body)")
            #expect(response.body.contains(#""redis":{"status":"down","reason":""#))
        }
    }

    @Test("with the settings' authority and client's certificate a Redis that asks for one is written to")
    func clientCertificate() async throws {
        let certificate = try TestCertificate()
        var options = RedisServer.Options()
        options.certificate = certificate
        options.arguments = ["--tls-auth-clients", "yes"]
        try await RedisServer.running(options) { redis in
            let settings = [
                "REDIS_URL": "rediss://127.0.0.1:\(redis.tlsPort)", "REDIS_TLS_CA": certificate.authorityFile,
                "REDIS_TLS_CERT": certificate.certificateFile, "REDIS_TLS_KEY": certificate.keyFile,
            ]
            _ = try await Self.readiness(settings) { $0.body.contains(#""redis":{"status":"up""#) }
        }
    }
}

import EventLoop
import PostgresClient
import TestSupport
import Testing

private let encryption = PostgresStatement("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
private let one = PostgresStatement("SELECT 1::int8")

@Suite("Opening connections", .tags(.integration), .timeLimit(.minutes(2)))
struct OpeningTests {
    @Test("a malformed URI is rejected without being quoted")
    func uri() {
        let texts = ["http://h", "postgres://u:hunter2@[h/d", "postgres://h/d?nonsense=hunter2"]
        for text in texts {
            do throws(PostgresConfiguration.InvalidURI) {
                _ = try PostgresConfiguration(uri: text, applicationName: "test")
                Issue.record("accepted: \(text)")
            } catch {
                #expect(!"\(error)".contains("hunter2") && "\(error)".contains("postgres://"))
            }
        }
    }

    @Test("host names are resolved, and of several hosts the first that responds is used")
    func hosts() async throws {
        let server = try PostgresServer.shared.get()
        let closed = try LoopbackSocket.freePort()
        for place in ["localhost:\(server.port)", "127.0.0.1:\(closed),localhost:\(server.port)"] {
            try await onLoop { loop in
                let pool = try pool("postgres://lemma@\(place)/postgres", on: loop)
                defer { pool.close() }
                #expect(try await pool.run(one()).first?.integer(0) == 1)
            }
        }
    }

    @Test("of several places, one that does not respond delays only briefly, also behind a read-only one")
    func silentPlace() async throws {
        var options = PostgresServer.Options()
        options.settings["default_transaction_read_only"] = "on"
        try await PostgresServer.running(options) { standby in
            let server = try PostgresServer.shared.get()
            let silent = (try FullListener(), try FullListener())
            let (first, second) = ("127.0.0.1:\(silent.0.port)", "localhost:\(silent.1.port)")
            let (good, reading) = ("127.0.0.1:\(server.port)", "127.0.0.1:\(standby.port)")
            let places = [
                "\(first),\(good)/postgres",
                "\(first),\(second),\(good)/postgres",
                "/postgres?hostaddr=127.0.0.1,127.0.0.1&port=\(silent.0.port),\(server.port)",
                "\(reading),\(first),\(good)/postgres?target_session_attrs=read-write",
            ]
            for place in places {
                try await onLoop { loop in
                    let pool = try pool("postgres://lemma@\(place)", on: loop) { $0.connectLimit = .seconds(600) }
                    defer { pool.close() }
                    // The silent address would take longer than the limit of this suite.
                    #expect(try await pool.run(one()).first?.integer(0) == 1, "\(place)")
                }
            }
            withExtendedLifetime(silent) {}
        }
    }

    @Test("a failed attempt reports its reason and no secret")
    func refusals() async throws {
        let server = try PostgresServer.shared.get()
        let closed = try LoopbackSocket.freePort()
        let cases = [
            ("postgres://lemma:hunter2@127.0.0.1:\(closed)/postgres", "Connection refused"),
            ("postgres://lemma:hunter2@127.0.0.1:\(server.port)/nowhere", "database \"nowhere\" does not exist"),
            ("postgres://nobody:hunter2@127.0.0.1:\(server.port)/postgres", "role \"nobody\" does not exist"),
            ("postgres://lemma:hunter2@no-such-host.invalid/postgres", "no-such-host.invalid"),
            ("postgres://lemma:hunter2@127.0.0.1:\(server.port)/postgres?sslmode=require", "SSL"),
        ]
        for (url, expected) in cases {
            let reason = try await onLoop { loop in
                let observer = RecordingObserver()
                let pool = try pool(url, on: loop, observer: observer)
                defer { pool.close() }
                let error = await failure { () async throws(PostgresError) in try await pool.run(one()) }
                guard case .unreachable(let reason) = error else { return "\(String(describing: error))" }
                #expect(observer.failures == [reason])
                return reason
            }
            #expect(reason.contains(expected) && !reason.contains("hunter2"), "\(reason)")
        }
    }

    @Test("a peer that accepts and sends nothing fails at the connect limit")
    func silent() async throws {
        let server = try PostgresServer.start()
        server.pause()
        defer { server.kill() }
        try await onLoop { loop in
            let pool = try pool(server.url(), on: loop) { $0.connectLimit = .milliseconds(200) }
            defer { pool.close() }
            let error = await failure { () async throws(PostgresError) in try await pool.run(one()) }
            #expect(error == .unreachable(reason: "127.0.0.1: no answer in time"))
        }
    }

    @Test("TLS is configured by the URI: its authority is trusted, another authority or name is rejected")
    func tls() async throws {
        var options = PostgresServer.Options()
        let certificate = try TestCertificate(names: "DNS:localhost")
        let stranger = try TestCertificate()
        options.certificate = certificate
        try await PostgresServer.running(options) { server in
            // Outside the macros, whose closures without another `try` count as non-throwing.
            let trusted = try await outcome("localhost", server, certificate.authorityFile)
            let unknown = try await outcome("localhost", server, stranger.authorityFile)
            let misnamed = try await outcome("127.0.0.1", server, certificate.authorityFile)
            #expect(trusted == "encrypted")
            #expect(unknown.contains("certificate verify failed"))
            #expect(misnamed.contains("does not match host name"))
        }
    }

    private func outcome(_ host: String, _ server: PostgresServer, _ authority: String) async throws -> String {
        try await onLoop { loop in
            let url = "postgres://lemma@\(host):\(server.port)/postgres?sslmode=verify-full&sslrootcert=\(authority)"
            let pool = try pool(url, on: loop)
            defer { pool.close() }
            do throws(PostgresError) {
                return try await pool.run(encryption()).first?.boolean(0) == true ? "encrypted" : "plain"
            } catch {
                return "\(error)"
            }
        }
    }
}

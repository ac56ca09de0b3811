import EventLoop
import RedisClient
import TestSupport
import Testing

@Suite("Commands on a real server", .tags(.integration), .timeLimit(.minutes(1)))
struct CommandTests {
    @Test("ten thousand pipelined commands get their replies in order")
    func pipelining() async throws {
        try await RedisServer.running { server in
            try await onLoop { loop in
                let redis = try commander(server, loop)
                defer { redis.close() }
                var answers: [Int] = []
                let done = OneShot<Void>(loop: loop)
                for _ in 0..<10_000 {
                    redis.send(RedisCommand("INCR", "counter"), deadline: .seconds(10)) { result in
                        answers.append((try? result.get().integer) ?? -1)
                        if answers.count == 10_000 { done.succeed(()) }
                    }
                }
                try await done.value()
                #expect(answers == Array(1...10_000))
            }
        }
    }

    @Test("values of any bytes and sizes round-trip")
    func binarySafety() async throws {
        try await RedisServer.running { server in
            try await onLoop { loop in
                let redis = try commander(server, loop)
                defer { redis.close() }
                let everyByte = (0..<70_000).map { UInt8(truncatingIfNeeded: $0) }
                let large = [UInt8](repeating: 0x0d, count: 20_000_000)
                for value in [[], [0], Array("\r\n$-1\r\n".utf8), everyByte, large] {
                    let set = try await redis.call(RedisCommand("SET", "key", value), deadline: .seconds(10))
                    #expect(set == .status("OK"))
                    let got = try await redis.call(RedisCommand("GET", "key"), deadline: .seconds(10))
                    #expect(got == .bytes(value))
                }
            }
        }
    }

    @Test("the hot path writes the same command and reads a reply in place")
    func hotPath() async throws {
        try await RedisServer.running { server in
            try await onLoop { loop in
                let redis = try commander(server, loop)
                defer { redis.close() }
                _ = try await redis.call(RedisCommand("DEL", "key"), deadline: .seconds(5))
                let reply = OneShot<RedisValue?>(loop: loop)
                redis.send(3, deadline: .seconds(5)) { command in
                    command.append("SET" as StaticString)
                    command.append("key")
                    command.append(-1_234_567_890_123_456_789)
                } completion: { _ in
                }
                redis.send(2, deadline: .seconds(5)) { command in
                    command.append("GET")
                    command.append(Array("key".utf8))
                } completion: { result in
                    reply.succeed((try? result.get()).map { RedisValue($0) })
                }
                #expect(try await reply.value()?.string == "-1234567890123456789")
            }
        }
    }

    @Test("nested, null and error replies are distinguished")
    func kinds() async throws {
        try await RedisServer.running { server in
            try await onLoop { loop in
                let redis = try commander(server, loop)
                defer { redis.close() }
                let script =
                    "return {1, 'two', {3, {false}}, redis.status_reply('FINE'), redis.error_reply('BAD luck')}"
                let nested = try await redis.call(RedisCommand("EVAL", script, 0), deadline: .seconds(5))
                let bad = RedisValue.error(RedisServerError(message: "BAD luck"))
                let inner = RedisValue.array([.integer(3), .array([.null])])
                #expect(nested == .array([.integer(1), .bytes(Array("two".utf8)), inner, .status("FINE"), bad]))
                #expect(try await redis.call(RedisCommand("GET", "nothing"), deadline: .seconds(5)).isNull)
                _ = try await redis.call(RedisCommand("SET", "text", "a"), deadline: .seconds(5))
                await #expect(throws: RedisError.server(.init(message: "ERR value is not an integer or out of range")))
                {
                    try await redis.call(RedisCommand("INCR", "text"), deadline: .seconds(5))
                }
                let missing = await failure { () async throws(RedisError) in
                    try await redis.call(RedisCommand("FCALL", "missing", 0), deadline: .seconds(5))
                }
                guard case .server(let error) = missing else { throw NeverHappened(what: "an error reply") }
                #expect(error.isFunctionNotFound && error.code == "ERR" && !error.isRetryable)
            }
        }
    }

    @Test("user, password, database and name are set before the first command")
    func login() async throws {
        var options = RedisServer.Options()
        options.users = ["worker on >s3cr%t ~* &* +@all"]
        try await RedisServer.running(options) { server in
            try await onLoop { loop in
                let url = try RedisURL("redis://worker:s3cr%25t@127.0.0.1:\(server.port)/3")
                let redis = RedisCommander(try patient(url, clientName: "lemma-test"), on: loop)
                defer { redis.close() }
                let info = try await redis.call(RedisCommand("CLIENT", "INFO"), deadline: .seconds(5)).string ?? ""
                #expect(info.contains("name=lemma-test") && info.contains("db=3") && info.contains("user=worker"))
            }
        }
    }

    @Test("with a wrong password commands fail as not sent, with the server's reason and without the secret")
    func wrongPassword() async throws {
        var options = RedisServer.Options()
        options.password = "right"
        try await RedisServer.running(options) { server in
            try await onLoop { loop in
                for login in [":wr0ng@", "user:wr0ng@", ""] {
                    let url = try RedisURL("redis://\(login)127.0.0.1:\(server.port)")
                    var configuration = try RedisConfiguration(url: url)
                    configuration.waitLimit = .seconds(2)
                    let redis = RedisCommander(configuration, on: loop)
                    defer { redis.close() }
                    let error = await failure { () async throws(RedisError) in
                        try await redis.call(RedisCommand("PING"), deadline: .seconds(5))
                    }
                    guard case .notConnected(let reason) = error else { throw NeverHappened(what: "a refusal") }
                    #expect(reason.contains(login.isEmpty ? "NOAUTH" : "WRONGPASS"))
                    #expect(!reason.contains("wr0ng"))
                }
            }
        }
    }

    @Test("a Unix-domain socket works too")
    func unixSocket() async throws {
        try await RedisServer.running { server in
            try await onLoop { loop in
                let url = try RedisURL("unix://\(server.socketPath)?db=2")
                let redis = RedisCommander(try patient(url), on: loop)
                defer { redis.close() }
                let info = try await redis.call(RedisCommand("CLIENT", "INFO"), deadline: .seconds(5)).string ?? ""
                #expect(info.contains("db=2") && info.contains("redis.sock"))
            }
        }
    }

    @Test("the hook runs on each new connection before the first command")
    func onConnect() async throws {
        try await RedisServer.running { server in
            try await onLoop { loop in
                let observer = RecordingObserver()
                let redis = RedisCommander(try patient(RedisURL(server.url)), on: loop, observer: observer) {
                    connection throws(RedisError) in
                    _ = try await connection.call(RedisCommand("SET", "prepared", "yes"), deadline: .seconds(5))
                }
                defer { redis.close() }
                #expect(try await redis.call(RedisCommand("GETDEL", "prepared"), deadline: .seconds(5)).string == "yes")
                try server.restart()
                try await eventually("a second connection", on: loop) { observer.connections == 2 }
                #expect(try await redis.call(RedisCommand("GETDEL", "prepared"), deadline: .seconds(5)).string == "yes")
            }
        }
    }
}

/// A client of `server` with the usual settings.
func commander(
    _ server: RedisServer,
    _ loop: isolated Loop,
    observer: (any RedisObserver)? = nil,
    _ change: (inout RedisConfiguration) -> Void = { _ in },
) throws -> RedisCommander {
    var configuration = try patient(RedisURL(server.url))
    change(&configuration)
    return RedisCommander(configuration, on: loop, observer: observer)
}

/// The usual settings, with enough time for a busy machine to connect.
func patient(_ url: RedisURL, clientName: String? = nil) throws -> RedisConfiguration {
    var configuration = try RedisConfiguration(url: url, clientName: clientName)
    configuration.waitLimit = .seconds(5)
    return configuration
}

/// Records what a client reports.
final class RecordingObserver: RedisObserver {
    private(set) var connections = 0
    private(set) var reconnections = 0
    private(set) var succeeded = 0
    private(set) var failed = 0
    private(set) var timeouts = 0
    private(set) var failures: [String] = []
    private(set) var missingPermissions: [String] = []

    func commandFinished(after duration: Duration, succeeded: Bool) {
        if succeeded { self.succeeded += 1 } else { failed += 1 }
    }
    func connected(again: Bool) {
        connections += 1
        if again { reconnections += 1 }
    }
    func connectionFailed(reason: String) { failures.append(reason) }
    func permissionMissing(reason: String) { missingPermissions.append(reason) }
    func timedOut() { timeouts += 1 }
}

/// The error that `body` throws, if it does.
func failure<Value>(_ body: () async throws(RedisError) -> Value) async -> RedisError? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error
    }
}

import EventLoop
import RedisClient
import TestSupport
import Testing

@Suite("Failures of the server and of callers", .tags(.integration), .timeLimit(.minutes(1)))
struct FailureTests {
    @Test("a command to a frozen server fails at its deadline, and the loop keeps running")
    func frozen() async throws {
        try await RedisServer.running { server in
            try await onLoop { loop in
                let observer = RecordingObserver()
                let redis = try commander(server, loop, observer: observer)
                defer { redis.close() }
                _ = try await redis.call(RedisCommand("PING"), deadline: .seconds(5))
                server.pause()
                var turns = 0
                let ticker = loop.schedule(every: .milliseconds(5)) { turns += 1 }
                defer { ticker.close() }
                var later: RedisError?
                redis.send(RedisCommand("SET", "a", 1), deadline: .seconds(60)) { later = $0.failure }
                let error = await failure { () async throws(RedisError) in
                    try await redis.call(RedisCommand("SET", "b", 2), deadline: .milliseconds(250))
                }
                #expect(error == .timedOut)
                #expect(later == .connectionLost)
                #expect(turns >= 3)
                #expect(observer.timeouts == 1)
                server.resume()
                #expect(try await redis.call(RedisCommand("PING"), deadline: .seconds(5)) == .status("PONG"))
            }
        }
    }

    @Test("commands to a frozen server that were never sent fail as such")
    func neverSent() async throws {
        try await RedisServer.running { server in
            try await onLoop { loop in
                let redis = try commander(server, loop)
                defer { redis.close() }
                _ = try await redis.call(RedisCommand("PING"), deadline: .seconds(5))
                server.pause()
                var errors: [RedisError?] = []
                let done = OneShot<Void>(loop: loop)
                let megabyte = [UInt8](repeating: 1, count: 1 << 20)
                for _ in 0..<40 {
                    redis.send(RedisCommand("SET", "key", megabyte), deadline: .milliseconds(300)) {
                        errors.append($0.failure)
                        if errors.count == 40 { done.succeed(()) }
                    }
                }
                try await done.value()
                #expect(errors.first == .timedOut)
                guard case .notConnected = errors.last else { throw NeverHappened(what: "a command that was not sent") }
            }
        }
    }

    @Test("commands to a killed server fail, and the client reconnects to the restarted server")
    func killed() async throws {
        var options = RedisServer.Options()
        options.appendOnly = true
        try await RedisServer.running(options) { server in
            try await onLoop { loop in
                let observer = RecordingObserver()
                let redis = try commander(server, loop, observer: observer) { $0.waitLimit = .seconds(10) }
                defer { redis.close() }
                _ = try await redis.call(RedisCommand("SET", "kept", "yes"), deadline: .seconds(5))
                let blocked = OneShot<RedisError?>(loop: loop)
                redis.send(RedisCommand("BLPOP", "nothing", 0), deadline: .seconds(60)) { blocked.succeed($0.failure) }
                try await eventually("a blocked command", on: loop) {
                    LoopbackSocket.ask(port: server.port, "INFO clients\r\n")?.contains("blocked_clients:1") == true
                }
                server.kill()
                #expect(try await blocked.value() == .connectionLost)
                try server.restart()
                #expect(try await redis.call(RedisCommand("GET", "kept"), deadline: .seconds(10)).string == "yes")
                #expect(observer.reconnections == 1)
                try server.restart(keepingData: false)
                try await eventually("a third connection", on: loop) { observer.connections == 3 }
                #expect(try await redis.call(RedisCommand("GET", "kept"), deadline: .seconds(10)).isNull)
            }
        }
    }

    @Test("without a server a command fails after the waiting limit, as not sent and with the reason")
    func absent() async throws {
        let port = try LoopbackSocket.freePort()
        try await onLoop { loop in
            var configuration = try RedisConfiguration(url: RedisURL("redis://127.0.0.1:\(port)"))
            configuration.waitLimit = .milliseconds(100)
            let redis = RedisCommander(configuration, on: loop)
            defer { redis.close() }
            let error = await failure { () async throws(RedisError) in
                try await redis.call(RedisCommand("PING"), deadline: .seconds(60))
            }
            #expect(error == .notConnected(reason: "127.0.0.1:\(port): ECONNREFUSED: connection refused"))
        }
    }

    @Test("CLIENT KILL is followed by a new connection")
    func clientKill() async throws {
        try await RedisServer.running { server in
            try await onLoop { loop in
                let observer = RecordingObserver()
                let redis = try commander(server, loop, observer: observer)
                defer { redis.close() }
                let id = try await redis.call(RedisCommand("CLIENT", "ID"), deadline: .seconds(5))
                _ = LoopbackSocket.ask(port: server.port, "CLIENT KILL ID \(id.integer ?? 0)\r\n")
                try await eventually("a new connection", on: loop) { observer.connections == 2 }
                #expect(try await redis.call(RedisCommand("CLIENT", "ID"), deadline: .seconds(5)) != id)
            }
        }
    }

    @Test("commands above the limits are rejected, with and without a connection; earlier ones are executed")
    func overload() async throws {
        try await RedisServer.running { server in
            try await onLoop { loop in
                let redis = try commander(server, loop) { $0.pendingCommandsMax = 10 }
                defer { redis.close() }
                for _ in 0..<2 {
                    var results: [RedisError?] = []
                    for _ in 0..<15 {
                        redis.send(RedisCommand("PING"), deadline: .seconds(5)) { results.append($0.failure) }
                    }
                    try await eventually("all answers", on: loop) { results.count == 15 }
                    #expect(results.filter { $0 == .overloaded }.count == 5)
                    #expect(results.filter { $0 == nil }.count == 10)
                }
                let narrow = try commander(server, loop) { $0.pendingBytesMax = 1000 }
                defer { narrow.close() }
                var results: [RedisError?] = []
                for _ in 0..<3 {
                    let value = [UInt8](repeating: 0, count: 600)
                    narrow.send(RedisCommand("SET", "key", value), deadline: .seconds(5)) { results.append($0.failure) }
                }
                try await eventually("all answers", on: loop) { results.count == 3 }
                #expect(results.filter { $0 == .overloaded }.count == 1)
            }
        }
    }

    @Test("a reply to no command closes the connection, because the order is lost")
    func unexpectedReply() async throws {
        try await RedisServer.running { server in
            try await onLoop { loop in
                let observer = RecordingObserver()
                let redis = try commander(server, loop, observer: observer)
                defer { redis.close() }
                // One command with two replies.
                _ = try await redis.call(RedisCommand("SUBSCRIBE", "a", "b"), deadline: .seconds(5))
                try await eventually("a new connection", on: loop) { observer.connections == 2 }
                #expect(try await redis.call(RedisCommand("PING"), deadline: .seconds(5)) == .status("PONG"))
            }
        }
    }

    @Test("a cancelled caller fails at once, and the next reply goes to the next command")
    func cancellation() async throws {
        try await RedisServer.running { server in
            try await onLoop { loop in
                let redis = try commander(server, loop)
                defer { redis.close() }
                _ = try await redis.call(RedisCommand("PING"), deadline: .seconds(5))
                let outcome = OneShot<RedisError?>(loop: loop)
                let task = loop.spawn {
                    let error = await failure { () async throws(RedisError) in
                        try await redis.call(RedisCommand("BLPOP", "list", 0), deadline: .seconds(60))
                    }
                    outcome.succeed(error)
                }
                var next: RedisValue?
                redis.send(RedisCommand("ECHO", "next"), deadline: .seconds(60)) { next = try? $0.get() }
                task.cancel()
                #expect(try await outcome.value() == .cancelled)
                #expect(next == nil)
                _ = LoopbackSocket.ask(port: server.port, "RPUSH list x\r\n")
                try await eventually("the next reply", on: loop) { next != nil }
                #expect(next?.string == "next")
            }
        }
    }

    @Test("closing fails every command without a reply at once")
    func closing() async throws {
        try await RedisServer.running { server in
            try await onLoop { loop in
                let redis = try commander(server, loop)
                _ = try await redis.call(RedisCommand("PING"), deadline: .seconds(5))
                var errors: [RedisError?] = []
                redis.send(RedisCommand("BLPOP", "list", 0), deadline: .seconds(60)) { errors.append($0.failure) }
                redis.close()
                redis.close()
                redis.send(RedisCommand("PING"), deadline: .seconds(60)) { errors.append($0.failure) }
                try await eventually("both failures", on: loop) { errors.count == 2 }
                #expect(errors == [.closed, .closed])
                let unconnected = try commander(server, loop)
                unconnected.send(RedisCommand("PING"), deadline: .seconds(60)) { errors.append($0.failure) }
                unconnected.close()
                #expect(errors == [.closed, .closed, .closed])
            }
        }
    }

    @Test("with full memory reads succeed and writes fail with a temporary error")
    func outOfMemory() async throws {
        var options = RedisServer.Options()
        options.maxMemory = "1mb"
        try await RedisServer.running(options) { server in
            try await onLoop { loop in
                let redis = try commander(server, loop)
                defer { redis.close() }
                let value = [UInt8](repeating: 1, count: 1 << 20)
                _ = await failure { () async throws(RedisError) in
                    try await redis.call(RedisCommand("SET", "key", value), deadline: .seconds(5))
                }
                let error = await failure { () async throws(RedisError) in
                    try await redis.call(RedisCommand("SET", "key", value), deadline: .seconds(5))
                }
                guard case .server(let refusal) = error else { throw NeverHappened(what: "OOM") }
                #expect(refusal.code == "OOM" && refusal.isRetryable)
                _ = try await redis.call(RedisCommand("GET", "other"), deadline: .seconds(5))
            }
        }
    }

    @Test("a server that has become a replica is disconnected, so that the name can resolve to the new master")
    func demotion() async throws {
        try await RedisServer.running { server in
            try await onLoop { loop in
                let observer = RecordingObserver()
                let redis = try commander(server, loop, observer: observer)
                defer { redis.close() }
                _ = try await redis.call(RedisCommand("SET", "a", 1), deadline: .seconds(5))
                _ = LoopbackSocket.ask(port: server.port, "REPLICAOF 127.0.0.1 1\r\n")
                let error = await failure { () async throws(RedisError) in
                    try await redis.call(RedisCommand("SET", "a", 2), deadline: .seconds(5))
                }
                guard case .server(let refusal) = error else { throw NeverHappened(what: "READONLY") }
                #expect(refusal.code == "READONLY" && refusal.isRetryable)
                try await eventually("a new connection", on: loop) { observer.connections == 2 }
                _ = LoopbackSocket.ask(port: server.port, "REPLICAOF NO ONE\r\n")
                _ = try await redis.call(RedisCommand("SET", "a", 3), deadline: .seconds(5))
            }
        }
    }

    @Test("a loop ends while a client on it still tries to connect")
    func abandoned() async throws {
        let port = try LoopbackSocket.freePort()
        try await onLoop { loop in
            let configuration = try RedisConfiguration(url: RedisURL("redis://127.0.0.1:\(port)"))
            let observer = RecordingObserver()
            let redis = RedisCommander(configuration, on: loop, observer: observer)
            try await eventually("a failed attempt", on: loop) { !observer.failures.isEmpty }
            withExtendedLifetime(redis) {}
        }
        try await RedisServer.running { server in
            try await onLoop { loop in
                let redis = try commander(server, loop)
                _ = try await redis.call(RedisCommand("PING"), deadline: .seconds(5))
            }
        }
    }

    @Test("a hundred lost connections leak no descriptor")
    func descriptors() async throws {
        try await RedisServer.running { server in
            try await onLoop { loop in
                let observer = RecordingObserver()
                let redis = try commander(server, loop, observer: observer) {
                    $0.backoff = .milliseconds(1)...(.milliseconds(2))
                    $0.clientName = "descriptors"
                }
                defer { redis.close() }
                func sockets() async throws(RedisError) -> Int {
                    let list = try await redis.call(RedisCommand("CLIENT", "LIST"), deadline: .seconds(5)).string ?? ""
                    return list.split(separator: "\n").filter { $0.contains("name=descriptors") }.count
                }
                for round in 1...100 {
                    _ = await failure { () async throws(RedisError) in
                        try await redis.call(
                            RedisCommand("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no"),
                            deadline: .seconds(5),
                        )
                    }
                    try await eventually("connection \(round)", on: loop) { observer.connections > round }
                }
                #expect(try await sockets() == 1)
            }
        }
    }
}

extension Result {
    /// The error, if it is one.
    var failure: Failure? {
        if case .failure(let error) = self { error } else { nil }
    }
}

import EventLoop
import RedisClient
import TestSupport
import Testing
import Text

@Suite("Pub/sub on a real server", .tags(.integration), .timeLimit(.minutes(1)))
struct SubscriberTests {
    @Test("a thousand channels of both kinds are confirmed, deliver and are unsubscribed")
    func thousandChannels() async throws {
        try await RedisServer.running { server in
            try await onLoop { loop in
                let listener = Listener()
                let redis = try commander(server, loop)
                let subscriber = try RedisSubscriber(.init(url: .init(server.url)), on: loop, delegate: listener)
                defer {
                    subscriber.close()
                    redis.close()
                }
                var confirmed = 0
                for number in 0..<1000 {
                    subscriber.subscribe(to: "live:\(number)", kind(number), deadline: .seconds(10)) { result in
                        if result.failure == nil { confirmed += 1 }
                    }
                }
                try await eventually("a thousand confirmations", on: loop) { confirmed == 1000 }
                for number in 0..<1000 {
                    redis.send(publish(number, "m\(number)\r\n\0"), deadline: .seconds(10)) { _ in }
                }
                try await eventually("a thousand messages", on: loop) { listener.messages.count == 1000 }
                #expect(listener.messages == (0..<1000).map { "live:\($0)=m\($0)\r\n\0" })
                for number in 0..<1000 { subscriber.unsubscribe(from: "live:\(number)", kind(number)) }
                #expect(subscriber.channelCount == 0)
                // On the same connection, so the confirmation comes after all unsubscriptions.
                try await subscriber.subscribe(to: "last", deadline: .seconds(10))
                let receivers = try await redis.call(publish(1, "unheard"), deadline: .seconds(10))
                #expect(receivers == .integer(0))
                #expect(listener.losses == 0 && listener.reconnects == 0)
            }
        }
    }

    @Test("after a kill every channel is subscribed again and the gap is reported")
    func resubscription() async throws {
        try await RedisServer.running { server in
            try await onLoop { loop in
                let listener = Listener()
                let redis = try commander(server, loop)
                let subscriber = try RedisSubscriber(.init(url: .init(server.url)), on: loop, delegate: listener)
                defer {
                    subscriber.close()
                    redis.close()
                }
                for number in 0..<200 {
                    subscriber.subscribe(to: "live:\(number)", kind(number), deadline: .seconds(10)) { _ in }
                }
                try await subscriber.subscribe(to: "last", deadline: .seconds(10))
                server.kill()
                try await eventually("the loss", on: loop) { listener.losses == 1 }
                let during = OneShot<RedisError?>(loop: loop)
                subscriber.subscribe(to: "during", deadline: .seconds(10)) { during.succeed($0.failure) }
                subscriber.unsubscribe(from: "live:1", kind(1))
                try server.restart()
                try await eventually("the reconnect", on: loop) { listener.reconnects == 1 }
                #expect(try await during.value() == nil)
                for number in 0..<200 {
                    let receivers = try await redis.call(publish(number, "x"), deadline: .seconds(10))
                    #expect(receivers == .integer(number == 1 ? 0 : 1))
                }
                try await eventually("the messages", on: loop) { listener.messages.count == 199 }
                #expect(listener.losses == 1 && listener.reconnects == 1)
            }
        }
    }

    @Test("a frozen server is detected by its silence")
    func silence() async throws {
        try await RedisServer.running { server in
            try await onLoop { loop in
                let listener = Listener()
                let observer = RecordingObserver()
                var configuration = try RedisConfiguration(url: .init(server.url))
                configuration.pingPeriod = .milliseconds(50)
                configuration.pingDeadline = .milliseconds(200)
                let subscriber = RedisSubscriber(configuration, on: loop, delegate: listener, observer: observer)
                defer { subscriber.close() }
                try await subscriber.subscribe(to: "channel", deadline: .seconds(5))
                try await eventually("several PINGs", on: loop) {
                    let statistics = LoopbackSocket.ask(port: server.port, "INFO commandstats\r\n") ?? ""
                    let calls = statistics.firstMatch(of: /cmdstat_ping:calls=([0-9]+)/)?.1
                    return calls.flatMap { Int($0) } ?? 0 > 6
                }
                #expect(listener.losses == 0, "a server that replies stays connected")
                server.pause()
                try await eventually("the loss", on: loop) { listener.losses == 1 }
                #expect(observer.timeouts == 1)
                server.resume()
                try await eventually("the reconnect", on: loop) { listener.reconnects == 1 }
            }
        }
    }

    @Test("a channel that the user may not subscribe to fails, the others do not")
    func refusal() async throws {
        var options = RedisServer.Options()
        options.users = ["viewer on >pw resetchannels &allowed:* ~* +@all"]
        try await RedisServer.running(options) { server in
            try await onLoop { loop in
                let url = try RedisURL("redis://viewer:pw@127.0.0.1:\(server.port)")
                let subscriber = try RedisSubscriber(.init(url: url), on: loop, delegate: Listener())
                defer { subscriber.close() }
                var results: [String] = []
                for name in ["allowed:1", "secret", "allowed:2"] {
                    subscriber.subscribe(to: name, deadline: .seconds(5)) { result in
                        switch result {
                        case .success: results.append("yes")
                        case .failure(.server(let error)): results.append(String(error.code))
                        case .failure: results.append("no")
                        }
                    }
                }
                try await eventually("three results", on: loop) { results.count == 3 }
                #expect(results.sorted() == ["NOPERM", "yes", "yes"])
                #expect(subscriber.channelCount == 2)
            }
        }
    }

    @Test("a permission that is revoked at run time fails the connection with the reason until it is granted again")
    func revoked() async throws {
        var options = RedisServer.Options()
        options.users = ["viewer on >pw &* ~* +@all"]
        try await RedisServer.running(options) { server in
            try await onLoop { loop in
                let (listener, observer) = (Listener(), RecordingObserver())
                let redis = try commander(server, loop)
                var configuration = try RedisConfiguration(
                    url: RedisURL("redis://viewer:pw@127.0.0.1:\(server.port)")
                )
                configuration.backoff = .milliseconds(5)...(.milliseconds(20))
                let subscriber = RedisSubscriber(configuration, on: loop, delegate: listener, observer: observer)
                defer {
                    subscriber.close()
                    redis.close()
                }
                func change(_ permission: String) async throws {
                    _ = try await redis.call(
                        RedisCommand("ACL", "SETUSER", "viewer", permission),
                        deadline: .seconds(5)
                    )
                }
                try await subscriber.subscribe(to: "before", deadline: .seconds(5))
                try await change("-ssubscribe")
                let error = await failure { () async throws(RedisError) in
                    try await subscriber.subscribe(to: "after", deadline: .seconds(5))
                }
                guard case .server(let refusal) = error else { throw NeverHappened(what: "a refusal") }
                #expect(refusal.isMissingPermission && listener.losses == 1)
                #expect(observer.missingPermissions.first == refusal.message)
                #expect(refusal.message.contains("ssubscribe"))
                // Each new connection fails in the same way, because it cannot renew the first channel.
                try await eventually("further attempts", on: loop) { observer.missingPermissions.count >= 3 }
                #expect(listener.reconnects == 0)
                try await change("+ssubscribe")
                try await eventually("the reconnect", on: loop) { listener.reconnects == 1 }
                #expect(subscriber.channelCount == 1)
                try await subscriber.subscribe(to: "after", deadline: .seconds(5))
                for name in ["before", "after"] {
                    let receivers = try await redis.call(RedisCommand("SPUBLISH", name, "x"), deadline: .seconds(5))
                    #expect(receivers == .integer(1), "\(name)")
                }
                try await eventually("both messages", on: loop) { listener.messages == ["before=x", "after=x"] }
            }
        }
    }

    @Test("a subscription fails at its deadline, when it is cancelled, and when the subscriber closes")
    func settling() async throws {
        let port = try LoopbackSocket.freePort()
        try await onLoop { loop in
            let url = try RedisURL("redis://127.0.0.1:\(port)")
            let subscriber = try RedisSubscriber(.init(url: url), on: loop, delegate: Listener())
            let late = await failure { () async throws(RedisError) in
                try await subscriber.subscribe(to: "a", deadline: .milliseconds(100))
            }
            guard case .notConnected = late else { throw NeverHappened(what: "a failed wait") }
            #expect(subscriber.channelCount == 0)
            var errors: [RedisError?] = []
            subscriber.subscribe(to: "b", deadline: .seconds(60)) { errors.append($0.failure) }
            subscriber.subscribe(to: "b", deadline: .seconds(60)) { errors.append($0.failure) }
            subscriber.unsubscribe(from: "b")
            subscriber.subscribe(to: "c", deadline: .seconds(60)) { errors.append($0.failure) }
            subscriber.close()
            #expect(errors == [.cancelled, .cancelled, .closed])
        }
    }

    private func kind(_ number: Int) -> RedisSubscriptionKind { number.isMultiple(of: 2) ? .sharded : .plain }

    private func publish(_ number: Int, _ payload: String) -> RedisCommand {
        RedisCommand(number.isMultiple(of: 2) ? "SPUBLISH" : "PUBLISH", "live:\(number)", payload)
    }
}

/// Records what a subscriber delivers.
private final class Listener: RedisSubscriberDelegate {
    var messages: [String] = []
    var losses = 0
    var reconnects = 0

    func subscriberDidReceive(_ payload: Span<UInt8>, on channel: Span<UInt8>) {
        messages.append("\(String(repairing: channel))=\(String(repairing: payload))")
    }
    func subscriberDidLoseConnection() { losses += 1 }
    func subscriberDidReconnect() { reconnects += 1 }
}

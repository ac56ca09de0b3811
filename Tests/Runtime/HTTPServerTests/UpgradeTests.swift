import HTTPServer
import TestSupport
import Testing

@Suite("HTTP server: upgrades", .tags(.integration))
struct UpgradeTests {
    private static let fields = "Host: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: other, ECHO\r\n\r\n"
    private static let request = "GET /upgrade HTTP/1.1\r\n\(fields)"
    private static let switching = "HTTP/1.1 101 Switching Protocols\r\n"

    /// An upgraded connection, and the head of its 101.
    private func upgraded(
        _ server: TestServer,
        _ rest: String = "",
        path: String = "/upgrade",
        receiveBufferBytes: Int32? = nil
    ) throws -> (RawClient, head: String) {
        let client = try server.client(receiveBufferBytes: receiveBufferBytes)
        client.send("GET \(path) HTTP/1.1\r\n\(Self.fields)\(rest)")
        return (client, try client.read(through: "\r\n\r\n"))
    }

    @Test(
        "Bytes behind the request reach the new owner, also where the upgrade comes later",
        arguments: ["/upgrade", "/upgrade-later"]
    )
    func leftover(_ path: String) async throws {
        try await withServer { server in
            let (client, head) = try upgraded(server, "early", path: path)
            #expect(head.hasPrefix(Self.switching))
            #expect(head.contains("\r\nConnection: Upgrade\r\nUpgrade: echo\r\nX-Echo: yes\r\n\r\n"))
            #expect(try client.read(count: 7) == Array("hello: ".utf8))
            #expect(try client.read(count: 5) == Array("early".utf8))
            client.send("late")
            #expect(try client.read(count: 4) == Array("late".utf8))
        }
    }

    @Test("An upgrade behind pipelined requests keeps the order, and its bytes are not parsed as a request")
    func pipelined() async throws {
        try await withServer { server in
            let client = try server.client()
            let first = "GET /later?q=first HTTP/1.1\r\nHost: a\r\n\r\n"
            client.send("\(first)\(Self.request)GET /hello HTTP/1.1\r\n\r\n")
            #expect(try client.readResponse().body == "first")
            #expect(try client.read(through: "\r\n\r\n").hasPrefix(Self.switching))
            #expect(try client.read(through: "\r\n\r\n") == "hello: GET /hello HTTP/1.1\r\n\r\n")
            #expect(!server.record.contains("GET /hello"))
        }
    }

    @Test("More bytes behind the request than the backlog stores all arrive, and the client's end behind them")
    func muchLeftover() async throws {
        try await withServer { options in
            options.pipelinedBytesMax = 1000
        } _: { server in
            let rest = String(repeating: "abcdefgh", count: 50_000)
            let client = try server.client()
            client.send("GET /upgrade-later HTTP/1.1\r\n\(Self.fields)")
            let sending = client.sender.send(Array(rest.utf8), times: 1)
            _ = try client.read(through: "\r\n\r\nhello: ")
            #expect(try client.read(count: rest.utf8.count) == Array(rest.utf8))
            try await sending.value
            client.shutdownSending()
            #expect(try client.readToEnd() == "bye")
            #expect(try await server.waitUntilEmpty())
            #expect(server.record.contains("upgraded: ended"))
            #expect(server.record.contains("upgraded: closed"))
        }
    }

    @Test("An end of the client's side that came before the upgrade reaches the owner")
    func endedBefore() async throws {
        try await withServer { server in
            let client = try server.client()
            client.send("GET /upgrade-later HTTP/1.1\r\n\(Self.fields)early")
            client.shutdownSending()
            _ = try client.read(through: "\r\n\r\n")
            #expect(try client.readToEnd() == "hello: earlybye")
        }
    }

    @Test(
        "A request that does not ask for the protocol is no upgrade",
        arguments: [
            "HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n",
            "HTTP/1.1\r\nHost: a\r\nUpgrade: echo\r\n\r\n",
            "HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\r\n",
            "HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
        ]
    )
    func notAsked(_ rest: String) async throws {
        try await withServer { server in
            let client = try server.client()
            client.send("GET /upgrade \(rest)")
            #expect(try client.readResponse().status == 426)
        }
    }

    @Test("An upgraded connection counts until it closes: as open, as in flight, and for the limit")
    func counted() async throws {
        let metrics = RecordingMetrics()
        func adjust(_ options: inout HTTPServerOptions) { options.connectionsMax = 1 }
        try await withServer(adjust, metrics: metrics) { server in
            let (client, _) = try upgraded(server)
            #expect(try await server.listener.connectionCount() == 1)
            #expect(try await server.listener.inFlight().upgrades == 1)
            #expect(try server.exchange("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n").hasPrefix("HTTP/1.1 503 "))
            client.close()
            #expect(try await server.waitUntilEmpty())
            #expect(try await server.listener.inFlight().total == 0)
            #expect(metrics.record.all == ["opened", "GET - 101", "limit: connections", "closed"])
        }
    }

    @Test("A drain notifies the owner and waits for it to close the connection")
    func drain() async throws {
        try await withServer { server in
            let (client, _) = try upgraded(server)
            _ = try client.read(through: "hello: ")
            #expect(try await server.listener.drain(within: .seconds(10)) == 0)
            #expect(try client.readToEnd() == "going away")
            #expect(server.record.contains("upgraded: closed"))
        }
    }

    @Test("An upgrade during a drain notifies its owner at once")
    func upgradeDuringDrain() async throws {
        try await withServer { options in
            options.firstRequestGrace = .seconds(10)
        } _: { server in
            let client = try server.client()
            #expect(try await eventually { try await server.listener.connectionCount() == 1 })
            #expect(try await server.listener.drain(within: .zero) == 1)
            client.send(Self.request)
            #expect(try client.readToEnd().hasSuffix("hello: going away"))
        }
    }

    @Test("A connection whose owner ignores the drain is closed with all others")
    func closeAll() async throws {
        try await withServer { server in
            let (client, _) = try upgraded(server, path: "/upgrade?stubborn")
            _ = try client.read(through: "hello: ")
            #expect(try await server.listener.drain(within: .milliseconds(50)) == 1)
            #expect(server.record.contains("upgraded: draining"))
            try await server.listener.closeAll()
            #expect(try client.readToEnd() == "")
            #expect(server.record.contains("upgraded: closed"))
        }
    }

    @Test("A client that takes nothing of the owner's output is disconnected; for one that does, the drain is reported")
    func stalled() async throws {
        let metrics = RecordingMetrics()
        func adjust(_ options: inout HTTPServerOptions) { options.streamStallTimeout = .milliseconds(300) }
        try await withServer(adjust, metrics: metrics) { server in
            let (reader, _) = try upgraded(server, path: "/upgrade?flood")
            #expect(try reader.read(count: 8_000_007, within: .seconds(30)).count == 8_000_007)
            #expect(try await eventually { server.record.contains("upgraded: drained") })
            reader.close()
            #expect(try await server.waitUntilEmpty())
            let (client, _) = try upgraded(server, path: "/upgrade?flood", receiveBufferBytes: 4096)
            #expect(try await server.waitUntilEmpty())
            #expect(metrics.record.contains("limit: streamStall"))
            _ = client
        }
    }

    @Test("An owner that closes the stream while it is made is notified of the close once")
    func closesAtOnce() async throws {
        try await withServer { server in
            let client = try server.client()
            client.send("GET /upgrade?close HTTP/1.1\r\n\(Self.fields)early")
            #expect((try? client.readToEnd()) ?? "" == "")
            #expect(try await server.waitUntilEmpty())
            #expect(server.record.all.filter { $0.hasPrefix("upgraded") } == ["upgraded: closed"])
        }
    }
}

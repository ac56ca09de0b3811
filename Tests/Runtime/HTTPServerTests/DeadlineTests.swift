import HTTPServer
import TestSupport
import Testing

@Suite("HTTP server: deadlines and limits", .tags(.integration), .serialized)
struct DeadlineTests {
    /// Sends a piece every 20 ms until the server answers; returns how long that took, and the response.
    ///
    /// A deadline that each piece extends would never pass.
    private func drip(_ client: RawClient, _ piece: String) throws -> (Duration, RawResponse) {
        let began = ContinuousClock.now
        while ContinuousClock.now - began < .seconds(30) {
            client.send(piece)
            if !client.isSilent(for: .milliseconds(20)) { break }
        }
        return (ContinuousClock.now - began, try client.readResponse())
    }

    @Test(
        "A head that arrives slowly is answered 408 at its total deadline",
        arguments: ["", "GET / HTTP/1.1\r\nHost: a\r\nX-A: "]
    )
    func drippingHead(_ start: String) async throws {
        try await withServer { options in
            options.headTimeout = .milliseconds(400)
        } _: { server in
            let client = try server.client()
            client.send(start)
            let (duration, response) = try drip(client, "a")
            #expect(response.status == 408)
            #expect(response["connection"] == "close")
            #expect(response.body.contains(#""type":"/problems/request-timeout""#))
            #expect(duration > .milliseconds(350))
            client.shutdownSending()
            #expect(try client.readToEnd() == "")
        }
    }

    @Test(
        "A body that arrives slowly is answered 408 at its total deadline",
        arguments: [
            ("Content-Length: 60000\r\n\r\n", "a"), ("Transfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n"),
            ("Transfer-Encoding: chunked\r\n\r\n0\r\n", "X: y\r\n"),
        ]
    )
    func drippingBody(_ lines: String, _ piece: String) async throws {
        try await withServer { options in
            options.bodyTimeout = .milliseconds(400)
        } _: { server in
            let client = try server.client()
            client.send("POST /echo HTTP/1.1\r\nHost: a\r\n\(lines)")
            let (duration, response) = try drip(client, piece)
            #expect(response.status == 408)
            #expect(duration > .milliseconds(350))
            #expect(server.record.all.isEmpty)
        }
    }

    @Test("The deadline of the head begins again with each request on a connection")
    func deadlinePerRequest() async throws {
        try await withServer { options in
            options.headTimeout = .milliseconds(1000)
        } _: { server in
            let client = try server.client()
            for _ in 0..<3 {
                client.send("GET /hello HTTP/1.1\r\n")
                // The pace of a slow client.
                #expect(client.isSilent(for: .milliseconds(500)))
                client.send("Host: a\r\n\r\n")
                #expect(try client.readResponse().status == 200)
            }
        }
    }

    @Test(
        "An idle connection is closed without a response: an unused one after the head timeout, a used one after its own",
        arguments: [true, false]
    )
    func idle(isUnusedOneClosed: Bool) async throws {
        let hour = Duration.seconds(3600)
        try await withServer { options in
            options.headTimeout = isUnusedOneClosed ? .milliseconds(200) : hour
            options.keepAliveTimeout = isUnusedOneClosed ? hour : .milliseconds(200)
        } _: { server in
            let request = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"
            let began = ContinuousClock.now
            let fresh = try server.client()
            let used = try server.client()
            used.send(request)
            #expect(try used.readResponse().status == 200)
            let (closed, open) = isUnusedOneClosed ? (fresh, used) : (used, fresh)
            #expect(try closed.readToEnd(within: .seconds(30)) == "")
            #expect(ContinuousClock.now - began > .milliseconds(150))
            open.send(request)
            #expect(try open.readResponse().status == 200)
        }
    }

    @Test("The deadlines of the client do not limit the handler")
    func slowHandler() async throws {
        try await withServer { options in
            options.headTimeout = .milliseconds(100)
            options.bodyTimeout = .milliseconds(100)
            options.keepAliveTimeout = .milliseconds(100)
            options.writeStallTimeout = .milliseconds(100)
        } _: { server in
            let client = try server.client()
            client.send("GET /later?ms=500 HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try client.readResponse().body == "later")
        }
    }

    @Test("A client that reads a large response for longer than the keep-alive timeout gets all of it")
    func slowReader() async throws {
        try await withServer { options in
            options.keepAliveTimeout = .milliseconds(100)
        } _: { server in
            let client = try server.client(receiveBufferBytes: 4096)
            client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = try client.read(through: "\r\n\r\n")
            for _ in 0..<40 {
                #expect(try client.read(count: 200_000).count == 200_000)
                // The pace of a slow client.
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(try client.readToEnd() == "")
        }
    }

    @Test("A client that takes nothing of its response is disconnected, one that takes a little is not")
    func stalledWrite() async throws {
        let metrics = RecordingMetrics()
        func adjust(_ options: inout HTTPServerOptions) {
            options.writeStallTimeout = .milliseconds(300)
        }
        try await withServer(adjust, metrics: metrics) { server in
            let client = try server.client(receiveBufferBytes: 4096)
            client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = try client.read(through: "\r\n\r\n")
            for _ in 0..<40 {
                _ = try client.read(count: 100_000)
                #expect(try await server.listener.connectionCount() == 1)
                // The pace of a slow client.
                try await Task.sleep(for: .milliseconds(20))
            }
            #expect(try await server.waitUntilEmpty())
            #expect(metrics.record.contains("limit: responseStall"))
        }
    }

    @Test("A stalled stream has a longer timeout of its own, and its writer is notified of the end")
    func stalledStream() async throws {
        let metrics = RecordingMetrics()
        func adjust(_ options: inout HTTPServerOptions) {
            options.writeStallTimeout = .milliseconds(50)
            options.streamStallTimeout = .milliseconds(500)
        }
        try await withServer(adjust, metrics: metrics) { server in
            let client = try server.client(receiveBufferBytes: 4096)
            client.send("GET /flood HTTP/1.1\r\nHost: a\r\n\r\n")
            let began = ContinuousClock.now
            #expect(try await server.waitUntilEmpty())
            #expect(ContinuousClock.now - began > .milliseconds(400))
            #expect(server.record.contains("stream closed: stalled"))
            #expect(metrics.record.contains("limit: streamStall"))
            _ = client
        }
    }

    @Test("Above the connection limit a new connection is answered 503 and closed, and the others stay open")
    func connectionsMax() async throws {
        let metrics = RecordingMetrics()
        func adjust(_ options: inout HTTPServerOptions) {
            options.connectionsMax = 2
            options.refusedConnectionsMax = 8
        }
        try await withServer(adjust, metrics: metrics) { server in
            let clients = try [server.client(), server.client()]
            for client in clients {
                client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(try client.readResponse().status == 200)
            }
            let third = try server.client()
            third.send("POST /hello HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n")
            let refused = try third.readResponse()
            #expect(refused.status == 503 && refused["retry-after"] == "2" && refused["connection"] == "close")
            #expect(refused.body.contains("as many connections as it can serve"))
            #expect(try third.readToEnd() == "")
            #expect(metrics.record.all.filter { $0 == "limit: connections" }.count == 1)
            // An EventSource never reconnects after a 503.
            let source = "GET /stream HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n"
            #expect(try server.exchange(source) == "")
            let silent = try (0..<8).map { _ in try server.client() }
            #expect(try server.exchange("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n") == "")
            #expect(silent.contains { $0.isSilent(for: .zero) })
            clients[0].close()
            #expect(try await eventually { try await server.listener.connectionCount() == 1 })
            let fourth = try server.client()
            fourth.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try fourth.readResponse().status == 200)
        }
    }

    @Test("Above the connection limit, an event stream whose Accept comes late in the head gets no 503 either")
    func largeHeadAboveConnectionsMax() async throws {
        func adjust(_ options: inout HTTPServerOptions) {
            options.connectionsMax = 1
            options.refusedConnectionsMax = 8
        }
        try await withServer(adjust) { server in
            let first = try server.client()
            first.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try first.readResponse().status == 200)
            let cookie = "Cookie: \(String(repeating: "c", count: 6000))"
            let source = "GET /stream HTTP/1.1\r\nHost: a\r\n\(cookie)\r\nAccept: text/event-stream\r\n\r\n"
            let second = try server.client()
            second.send(source)
            // A reset where the rest of the head was not read.
            #expect((try? second.readToEnd()) ?? "" == "")
            #expect(try await eventually { try await server.listener.connectionCount() == 1 })
        }
    }
}

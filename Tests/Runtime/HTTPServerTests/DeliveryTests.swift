import HTTPServer
import TestSupport
import Testing

@Suite("HTTP server: delivery and closing", .tags(.integration))
struct DeliveryTests {
    @Test("A request that arrives byte by byte is served")
    func byteByByte() async throws {
        try await withServer { server in
            let client = try server.client()
            let request =
                "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nX: y\r\n\r\n"
            for byte in (request + request).utf8 { client.send([byte]) }
            #expect(try client.readResponse().body == "abc")
            #expect(try client.readResponse().body == "abc")
        }
    }

    @Test("1,000 pipelined requests are answered in order")
    func pipelined() async throws {
        try await withServer { server in
            let client = try server.client()
            client.send((0..<1000).map { "GET /show?q=\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
            for number in 0..<1000 {
                #expect(try client.readResponse().body.contains("q=\(number) "))
            }
        }
    }

    @Test("Pipelined requests that are answered asynchronously keep their order, and all are answered")
    func pipelinedLater() async throws {
        try await withServer { server in
            let client = try server.client()
            let requests = (0..<500).map { "GET /later?q=\($0)&ms=\($0 % 3) HTTP/1.1\r\nHost: a\r\n\r\n" }
            client.send(requests.joined())
            for number in 0..<500 { #expect(try client.readResponse().body == "\(number)") }
        }
    }

    @Test("A client that pipelines and does not read is not answered without limit")
    func pipelinedUnread() async throws {
        try await withServer { server in
            let client = try server.client(receiveBufferBytes: 4096)
            let body = String(repeating: "a", count: 60_000)
            let request = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n\(body)"
            let sending = client.sender.send(Array(request.utf8), times: 200)
            let isStuck = try await eventually {
                let before = server.record.all.count
                // The interval of a poll: that nothing is read any more gives no signal.
                try await Task.sleep(for: .milliseconds(200))
                return before > 0 && server.record.all.count == before
            }
            #expect(isStuck)
            #expect(server.record.all.count < 190, "the server must stop reading")
            for _ in 0..<200 { #expect(try client.readResponse().body == body) }
            try await sending.value
        }
    }

    @Test(
        "A client that shuts down its sending side still gets all responses",
        arguments: [
            "/hello", "/later?ms=50&q=hello",
        ]
    )
    func halfClosed(_ path: String) async throws {
        try await withServer { options in
            // No lingering for an end that has already arrived.
            options.closeLinger = .seconds(3600)
        } _: { server in
            let client = try server.client()
            let request = "GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n"
            client.send(request + request)
            client.shutdownSending()
            #expect(try client.readResponse().body == "hello")
            #expect(try client.readResponse().body == "hello")
            #expect(try client.readToEnd() == "")
            #expect(try await server.waitUntilEmpty(within: .seconds(30)))
        }
    }

    @Test("A large response reaches a half-closed client whole, also when it reads slowly")
    func halfClosedLarge() async throws {
        try await withServer { server in
            let client = try server.client(receiveBufferBytes: 4096)
            client.send("GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            client.shutdownSending()
            #expect(try client.readResponse(within: .seconds(30)).body.utf8.count == 8_000_000)
            #expect(try client.readToEnd() == "")
        }
    }

    @Test(
        "A request that ends in the middle is answered 400",
        arguments: [
            "G", "GET /hello HTTP/1.1\r\nHost: a\r\n", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc",
            "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-A: b\r\n",
        ]
    )
    func truncated(_ request: String) async throws {
        try await withServer { server in
            let client = try server.client()
            client.send(request)
            client.shutdownSending()
            #expect(try client.readResponse().status == 400)
            #expect(try client.readToEnd() == "")
        }
    }

    @Test("A client that leaves without a request gets no response")
    func silentClient() async throws {
        try await withServer { server in
            let client = try server.client()
            client.shutdownSending()
            #expect(try client.readToEnd() == "")
            #expect(try await server.waitUntilEmpty())
        }
    }

    @Test("Clients that leave at any point leave no connection behind", arguments: [false, true])
    func vanishing(_ withReset: Bool) async throws {
        try await withServer(loops: 2) { server in
            let requests = [
                "", "GET /he", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab",
                "GET /large HTTP/1.1\r\nHost: a\r\n\r\n", "GET /later?ms=50 HTTP/1.1\r\nHost: a\r\n\r\n",
                "GET /stream?open=1 HTTP/1.1\r\nHost: a\r\n\r\n",
                "GET /stream?open=1&n=5&every=5 HTTP/1.1\r\nHost: a\r\n\r\n",
                "GET /flood HTTP/1.1\r\nHost: a\r\n\r\n", "GET /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /",
            ]
            for round in 0..<10 {
                for request in requests {
                    let client = try server.client()
                    client.send(request)
                    if round.isMultiple(of: 2), request.contains("stream") { _ = try client.read(through: "\r\n\r\n") }
                    if withReset { client.reset() } else { client.close() }
                }
            }
            #expect(try await server.waitUntilEmpty())
            let client = try server.client()
            client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try client.readResponse().body == "hello")
        }
    }

    @Test("A handler is notified at once of a reset, and may still answer")
    func closeAction() async throws {
        try await withServer { server in
            let client = try server.client()
            client.send("GET /never HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try await eventually { server.record.contains("GET /never") })
            client.reset()
            #expect(try await eventually { server.record.contains("closed, open: false") })
        }
    }
}

import EventLoop
import HTTPServer
import TestSupport
import Testing

@Suite("HTTP server: streaming responses", .tags(.integration))
struct StreamTests {
    @Test("A stream's frames of one turn share one chunk, and the connection serves the next request after it")
    func chunkedStream() async throws {
        try await withServer { server in
            let client = try server.client()
            client.send("GET /stream?n=3 HTTP/1.1\r\nHost: a\r\n\r\n")
            let head = try client.read(through: "\r\n\r\n")
            #expect(head.contains("Transfer-Encoding: chunked\r\n"))
            #expect(try client.readChunk() == "data: 0\n\ndata: 1\n\ndata: 2\n\n")
            #expect(try client.readChunk() == nil)
            client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try client.readResponse().body == "hello")
        }
    }

    @Test("Frames of different turns are sent as separate chunks, as soon as they are written")
    func framesAtOnce() async throws {
        try await withServer { server in
            let client = try server.client()
            client.send("GET /stream?n=3&every=20&open=1 HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = try client.read(through: "\r\n\r\n")
            for frame in 0..<3 { #expect(try client.readChunk() == "data: \(frame)\n\n") }
        }
    }

    @Test("Many frames in one turn arrive whole, in chunks of limited size")
    func manyFrames() async throws {
        try await withServer { server in
            let client = try server.client()
            client.send("GET /stream?n=20000 HTTP/1.1\r\nHost: a\r\n\r\n")
            let body = try client.readResponse(within: .seconds(60)).body
            #expect(body == (0..<20_000).map { "data: \($0)\n\n" }.joined())
        }
    }

    @Test("A request pipelined behind a stream waits for its end")
    func pipelinedBehindStream() async throws {
        try await withServer { server in
            let client = try server.client()
            client.send("GET /stream?n=3&every=5 HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try client.readResponse().body == "data: 0\n\ndata: 1\n\ndata: 2\n\n")
            #expect(try client.readResponse().body == "hello")
        }
    }

    @Test("HTTP/1.0 gets a stream as plain bytes up to the end of the connection")
    func http10() async throws {
        try await withServer { server in
            let answer = try server.exchange("GET /stream HTTP/1.0\r\n\r\n")
            #expect(!answer.contains("Transfer-Encoding"))
            #expect(answer.hasSuffix("Connection: close\r\n\r\ndata: 0\n\ndata: 1\n\ndata: 2\n\n"))
        }
    }

    @Test("The end of a client's side, or its reset, closes the stream at once", arguments: [0, 1, 2])
    func clientLeaves(_ way: Int) async throws {
        try await withServer { server in
            let client = try server.client()
            client.send("GET /stream?n=1&open=1 HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = try client.read(through: "\r\n\r\n")
            #expect(try client.readChunk() == "data: 0\n\n")
            switch way {
            case 0: client.close()
            case 1: client.reset()
            case _: client.shutdownSending()
            }
            let loss = way == 1 ? "failed" : "clientLeft"
            #expect(
                try await eventually(within: .seconds(1)) { server.record.contains("stream closed: \(loss)") },
                "\(server.record.all)",
            )
            #expect(try await server.waitUntilEmpty())
        }
    }

    @Test("The stream of a client that ended its side before it began is closed too")
    func leftBefore() async throws {
        try await withServer { server in
            let client = try server.client()
            client.send("GET /stream?n=1&open=1 HTTP/1.1\r\nHost: a\r\n\r\n")
            client.shutdownSending()
            #expect(try await eventually { server.record.contains("stream closed: clientLeft") })
            #expect(try await server.waitUntilEmpty())
        }
    }

    @Test("A writer is notified when a client that had stalled has taken everything")
    func drained() async throws {
        try await withServer { server in
            let client = try server.client(receiveBufferBytes: 4096)
            client.send("GET /flood HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try client.readResponse(within: .seconds(30)).body.utf8.count == 8_000_000)
            #expect(server.record.contains("drained, pending: 0"))
        }
    }

    @Test("A client that floods an open stream with requests is not read further")
    func floodedStream() async throws {
        try await withServer { server in
            let client = try server.client()
            client.send("GET /stream?n=40&every=50 HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = try client.read(through: "\r\n\r\n")
            let request = Array(
                "GET /hello HTTP/1.1\r\nHost: a\r\nX-A: \(String(repeating: "b", count: 9000))\r\n\r\n".utf8
            )
            let sending = client.sender.send(request, times: 2000)
            for frame in 0..<40 { #expect(try client.readChunk() == "data: \(frame)\n\n") }
            #expect(try client.readChunk() == nil)
            for _ in 0..<2000 { #expect(try client.readResponse().body == "hello") }
            try await sending.value
        }
    }
}

@Suite("HTTP server: drain and shutdown", .tags(.integration))
struct EndingTests {
    @Test("A drain closes idle connections, lets responses and streams end, and announces the close")
    func drain() async throws {
        try await withServer { server in
            let idle = try server.client()
            let waiting = try server.client()
            let streaming = try server.client()
            idle.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try idle.readResponse().status == 200)
            waiting.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
            streaming.send("GET /stream?n=6&every=50 HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = try streaming.read(through: "\r\n\r\n")
            #expect(try await eventually { server.record.contains("GET /held") })
            try await server.listener.stopAccepting()
            let draining = Task { try await onThread { try await server.listener.drain(within: .seconds(5)) } }
            #expect(try idle.readToEnd() == "")
            idle.close()
            server.record.note("release")
            let answer = try waiting.readResponse()
            #expect(answer.body == "held")
            #expect(answer["connection"] == "close")
            waiting.close()
            for _ in 0..<6 { #expect(try streaming.readChunk() != nil) }
            #expect(try streaming.readChunk() == nil)
            #expect(try streaming.readToEnd() == "", "announced or not, the connection closes after the stream")
            streaming.close()
            #expect(try await draining.value == 0)
            #expect(throws: RawClient.Failure.self) { try server.client() }
        }
    }

    @Test("A connection whose first request arrives just after the drain began is answered, not closed")
    func firstRequestDuringDrain() async throws {
        try await withServer { options in
            options.firstRequestGrace = .seconds(10)
        } _: { server in
            let used = try server.client()
            used.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try used.readResponse().status == 200)
            let new = try server.client()
            #expect(try await eventually { try await server.listener.connectionCount() == 2 })
            try await server.listener.stopAccepting()
            let draining = Task { try await onThread { try await server.listener.drain(within: .seconds(5)) } }
            #expect(try used.readToEnd() == "", "it is being drained")
            used.close()
            new.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            let answer = try new.readResponse()
            #expect(answer.body == "hello")
            #expect(answer["connection"] == "close")
            new.close()
            #expect(try await draining.value == 0)
        }
    }

    @Test("A connection that sends nothing does not delay a drain")
    func unusedDuringDrain() async throws {
        try await withServer { options in
            options.firstRequestGrace = .milliseconds(50)
        } _: { server in
            let unused = try server.client()
            #expect(try await eventually { try await server.listener.connectionCount() == 1 })
            #expect(try await server.listener.drain(within: .seconds(10)) == 0)
            #expect(try unused.readToEnd() == "")
        }
    }

    @Test("A drain that exceeds its limit returns how many connections are left")
    func drainLimit() async throws {
        try await withServer { server in
            let client = try server.client()
            client.send("GET /never HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try await eventually { server.record.contains("GET /never") })
            #expect(try await server.listener.drain(within: .milliseconds(50)) == 1)
        }
    }

    @Test("A port that is taken is an error")
    func portTaken() async throws {
        try await withServer { server in
            let group = LoopGroup(count: 1)
            await #expect(throws: NetworkError.addressInUse) {
                try await HTTPListener.start(host: "127.0.0.1", port: server.listener.port, on: group.loops) { loop in
                    Routes(loop: loop, record: Record())
                }
            }
            group.stop()
        }
    }
}

import EventLoop
import HTTPServer
import Synchronization
import TestSupport
import Testing
import Text

@Suite("HTTP server: metrics, error renderer and security layer", .tags(.integration))
struct EmbeddingTests {
    @Test("Metrics observe connections, requests with their status, lost clients and bad requests")
    func metrics() async throws {
        let metrics = RecordingMetrics()
        try await withServer(metrics: metrics) { server in
            let client = try server.client()
            client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try client.readResponse().status == 200)
            #expect(try client.readResponse().status == 404)
            client.send("POST /stream HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try client.readResponse().status == 200)
            client.send("GET /hello HTTP/1.1\r\n\r\n")
            #expect(try client.readResponse().status == 400)
            client.close()
            #expect(try await server.waitUntilEmpty())
            let leaving = try server.client()
            leaving.send("GET /never HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try await eventually { server.record.contains("GET /never") })
            leaving.reset()
            #expect(try await server.waitUntilEmpty())
            #expect(
                metrics.record.all == [
                    "opened", "GET greeting 200", "GET - 404", "POST - 200", "bad request: malformed_host", "closed",
                    "opened", "GET - nil", "closed",
                ]
            )
        }
    }

    @Test("The given renderer makes the server's own errors")
    func renderer() async throws {
        try await withServer { options in
            options.renderError = { status, detail, request in
                let known = [request.path, request.origin, request.requestID].map { $0 ?? "-" }.joined(separator: " ")
                return HTTPResponse(
                    status: status,
                    headers: ["Content-Type": "text/plain"],
                    body: Array("\(status) \(known): \(detail)".utf8),
                )
            }
        } _: { server in
            let client = try server.client()
            client.send("garbage\r\n\r\n")
            let response = try client.readResponse()
            #expect(response["content-type"] == "text/plain")
            #expect(response.body == "400 - - -: The request line is malformed.")
            let body = "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\nOrigin: in-the-body\r\n"
            #expect(try server.exchange(body).hasSuffix("413 / - -: The body is too large."))
            // Anywhere in the head, also where it is cut, and only where the value is safe in a response header.
            let cookie = "Cookie: \(String(repeating: "c", count: 20_000))\r\n"
            for (fields, known) in [
                ("ORIGIN:https://a.example \r\nX-Request-Id: 7\r\n\(cookie)", "https://a.example 7"),
                ("\(cookie)Origin: https://a.example\r\n", "https://a.example -"),
                ("Origin: https://a .example\r\n\(cookie)", "- -"), ("X-Origin: b\r\n\(cookie)", "- -"),
            ] {
                let answer = try server.exchange("GET / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n")
                #expect(answer.hasSuffix("431 / \(known): The header section is too large."))
            }
            let cut = try server.client()
            cut.send("GET / HTTP/1.1\r\nOrig")
            cut.send("in: https://a.example\r\nBad Name: x\r\n\r\n")
            let refused = try cut.readResponse().body
            #expect(refused == "400 / https://a.example -: A header field is malformed or repeated.")
        }
    }

    @Test("The errors of a full server and of an unanswered request carry what was read of the request")
    func rendererOfOtherErrors() async throws {
        try await withServer { options in
            options.connectionsMax = 1
            options.refusedConnectionsMax = 8
            options.renderError = { status, _, request in
                let known = [request.path, request.origin, request.requestID].map { $0 ?? "-" }
                return HTTPResponse(status: status, body: Array(known.joined(separator: " ").utf8))
            }
        } _: { server in
            let client = try server.client()
            client.send("GET /forget?x HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try client.readResponse().body == "/forget - -")
            let fields = "Host: a\r\nOrigin: https://a.example\r\nX-Request-ID: 7\r\n"
            let above = try server.exchange("POST /hello?x HTTP/1.1\r\n\(fields)\r\n")
            #expect(above.hasSuffix("\r\n\r\n/hello https://a.example 7"))
        }
    }

    @Test("A security layer processes all bytes of every connection")
    func filter() async throws {
        try await withServer { options in
            options.makeFilter = { Scrambler() }
        } _: { server in
            let client = try server.client()
            let request = "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            client.send(request.utf8.map { $0 ^ 1 })
            let answer = String(decoding: try client.readToEnd().utf8.map { $0 ^ 1 }, as: UTF8.self)
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(answer.hasSuffix("\r\n\r\nhello"))
        }
    }

    @Test("A connection whose security layer rejects the bytes is closed")
    func filterRefuses() async throws {
        try await withServer { options in
            options.makeFilter = { Scrambler() }
        } _: { server in
            let client = try server.client()
            client.send([0xff])
            #expect(try client.readToEnd() == "alert")
            #expect(try await server.waitUntilEmpty())
        }
    }

    @Test("Each of thousands of short connections is answered, also while others are refused elsewhere")
    func shortConnections() async throws {
        try await withServer(loops: 3) { server in
            let closedPort = try LoopbackSocket.freePort()
            let answered = try await onOwnThreads {
                try await atOnce(8) { index in
                    try (0..<1000).count { _ in
                        // A descriptor closed twice may belong to another thread the second time.
                        if index < 4 { return (try? RawClient(port: closedPort)) == nil }
                        let client = try server.client()
                        client.send("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                        return try client.readResponse().body == "hello"
                    }
                }
            }
            #expect(answered == Array(repeating: 1000, count: 8))
        }
    }

    @Test("Connections are distributed over all loops, each with its own handler")
    func manyLoops() async throws {
        try await withServer(loops: 3) { server in
            let clients = try (0..<9).map { _ in try server.client() }
            for client in clients { client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n") }
            for client in clients { #expect(try client.readResponse().status == 200) }
            #expect(try await server.listener.connectionCount() == 9)
        }
    }
}

final class RecordingMetrics: HTTPServerMetrics {
    let record = Record()

    func connectionOpened() { record.note("opened") }

    func connectionClosed() { record.note("closed") }

    func requestEnded(method: HTTPMethod, note: RequestNote?, status: Int?, duration: Duration) {
        #expect(duration >= .zero && duration < .seconds(60))
        record.note("\(method.name) \(note?.route ?? "-") \(status.map { "\($0)" } ?? "nil")")
    }

    func badRequest(_ reason: RequestRefusal) { record.note("bad request: \(reason.rawValue)") }

    func connectionEnded(by limit: ConnectionLimit) { record.note("limit: \(limit)") }
}

/// A security layer for tests: flips a bit, and rejects the byte 0xff.
private final class Scrambler: StreamFilter {
    private var alert: [UInt8] = []

    let peerHasFinished = false

    func receive(
        _ bytes: Span<UInt8>,
        deliver: (Span<UInt8>) -> Void
    ) throws(StreamFilterError) {
        let bytes = Array(copying: bytes)
        if bytes.contains(0xff) {
            alert = Array("alert".utf8)
            throw StreamFilterError(reason: "a forbidden byte")
        }
        let plain = bytes.map { $0 ^ 1 }
        deliver(plain.span)
    }

    func seal(_ plain: inout [UInt8], into sealed: inout [UInt8]) {
        sealed += alert
        alert = []
        sealed += plain.map { $0 ^ 1 }
        plain.removeAll()
    }

    func sealEnd(into _: inout [UInt8]) {}
}

import Cryptography
import EventLoop
import HTTPClient
import HTTPServer
import TestSupport
import Testing

/// Shows what arrived.
private final class Mirror: HTTPHandler {
    func handle(_ request: HTTPRequest, _ exchange: HTTPExchange) {
        let fields = request.headers.all.map { "\($0.name.lowercased())=\($0.value)" }.sorted().joined(separator: "|")
        let body = String(decoding: request.body, as: UTF8.self)
        let text = "\(request.method.name) \(request.target) [\(fields)] \(body)"
        let status = Int(request.query["status"] ?? "") ?? 200
        let headers: HTTPFields = ["X-Empty": "", "X-Value": "  a b ", "Location": "/elsewhere"]
        exchange.respond(HTTPResponse(status: status, headers: headers, body: Array(text.utf8)))
    }
}

@Suite("HTTP client: exchanges", .tags(.integration))
struct ExchangeTests {
    /// Runs `body` with the port of a mirror on another loop.
    private static func withMirror<Result: Sendable>(
        certificate: TestCertificate? = nil,
        _ body: @escaping @Sendable (isolated Loop, Int, HTTPListener) async throws -> Result
    ) async throws -> Result {
        let group = LoopGroup(count: 1)
        defer { group.stop() }
        var options = HTTPServerOptions()
        if let certificate {
            let context = try TLSContext.server(
                certificateFile: certificate.certificateFile,
                keyFile: certificate.keyFile
            )
            options.makeFilter = {
                do { return try TLSFilter(server: context) } catch { preconditionFailure("no TLS filter: \(error)") }
            }
        }
        let listener = try await HTTPListener.start(host: "127.0.0.1", port: 0, on: group.loops, options: options) {
            _ in
            Mirror()
        }
        let result = try await onLoop { loop in try await body(loop, listener.port, listener) }
        try await listener.closeAll()
        return result
    }

    @Test("Method, target, fields and body arrive as given, without additions of the library")
    func request() async throws {
        try await Self.withMirror { loop, port, _ in
            let transport = HTTPTransport(on: loop)
            defer { transport.close() }
            var request = HTTPClientRequest("DELETE", "http://127.0.0.1:\(port)/a?b=c")
            request.headers = [("X-Empty", ""), ("X-Two", "1 2")]
            request.proxy = .none
            let (head, body) = try await transport.collect(request)
            #expect(head.status == 200)
            #expect(head["x-value"] == "a b")
            #expect(head["x-empty"]?.isEmpty == true)
            let fields =
                "accept-encoding=identity|accept=*/*|host=127.0.0.1:\(port)|user-agent=lemma|x-empty=|x-two=1 2"
            #expect(String(decoding: body, as: UTF8.self) == "DELETE /a?b=c [\(fields)] ")
            request.method = "POST"
            request.headers = [("Content-Type", "text/plain")]
            for content in ["hello", "", String(repeating: "x", count: 60_000)] {
                request.body = Array(content.utf8)
                let text = String(decoding: try await transport.collect(request).body, as: UTF8.self)
                #expect(text.hasPrefix("POST /a?b=c ["))
                #expect(text.contains("|content-length=\(content.utf8.count)|content-type=text/plain|"))
                #expect(!text.contains("expect"))
                #expect(text.hasSuffix("] \(content)"))
            }
        }
    }

    @Test("Redirects and error statuses are returned as they are; HEAD and 204 have no body")
    func statuses() async throws {
        try await Self.withMirror { loop, port, _ in
            let transport = HTTPTransport(on: loop)
            defer { transport.close() }
            for status in [200, 204, 302, 404, 503] {
                let (head, body) = try await transport.collect(
                    HTTPClientRequest("GET", "http://127.0.0.1:\(port)/?status=\(status)")
                )
                #expect(head.status == status)
                #expect(body.isEmpty == (status == 204))
            }
            let (head, body) = try await transport.collect(HTTPClientRequest("HEAD", "http://127.0.0.1:\(port)/"))
            #expect(head.status == 200)
            #expect(body.isEmpty)
        }
    }

    @Test("One connection serves one request after the other; requests at once have one each")
    func reuse() async throws {
        try await Self.withMirror { loop, port, listener in
            let transport = HTTPTransport(on: loop)
            defer { transport.close() }
            let request = HTTPClientRequest("GET", "http://127.0.0.1:\(port)/")
            for _ in 0..<5 { _ = try await transport.collect(request) }
            #expect(try await listener.connectionCount() == 1)
            var done = 0
            for _ in 0..<20 {
                loop.spawn {
                    if let (head, _) = try? await transport.collect(request), head.status == 200 { done += 1 }
                }
            }
            try await eventually("all are answered", on: loop) { done == 20 }
        }
    }

    @Test("https needs a certificate of a known authority")
    func secure() async throws {
        let certificate = try TestCertificate()
        try await Self.withMirror(certificate: certificate) { loop, port, _ in
            let request = HTTPClientRequest("GET", "https://localhost:\(port)/secure")
            var options = HTTPTransportOptions()
            options.certificateAuthorityFile = certificate.authorityFile
            let trusting = HTTPTransport(on: loop, options: options)
            defer { trusting.close() }
            let (head, _) = try await trusting.collect(request)
            #expect(head.status == 200)
            let strict = HTTPTransport(on: loop)
            defer { strict.close() }
            await #expect(throws: HTTPClientError.tls) { _ = try await strict.collect(request) }
        }
    }

    @Test("Interim responses and trailers are passed over")
    func interim() async throws {
        try await onLoop { loop in
            let server = try await RawServer(on: loop) { connection in
                connection.send("HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\nHTTP/1.1 200 OK\r\nX-Late: 2\r\n")
                connection.send("Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Trailer: 3\r\n\r\n")
            }
            let transport = HTTPTransport(on: loop)
            defer { transport.close() }
            let (head, body) = try await transport.collect(HTTPClientRequest("GET", server.url))
            #expect(head.headers.map(\.name) == ["x-late", "transfer-encoding"])
            #expect(body == Array("ok".utf8))
        }
    }
}

import EventLoop
import HTTPClient
import TestSupport
import Testing

@Suite("HTTP client: how often a request is sent", .tags(.integration))
struct OnceTests {
    private static let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    private static func request(_ method: String, _ server: RawServer) -> HTTPClientRequest {
        var request = HTTPClientRequest(method, server.url, body: method == "POST" ? Array("{}".utf8) : nil)
        request.proxy = .none
        return request
    }

    private static func count(_ server: RawServer) -> Int {
        server.connections.reduce(0) { $0 + $1.text.ranges(of: " / HTTP/1.1\r\n").count }
    }

    /// Sends one request that is answered, then one on the same connection that the server ends without a byte.
    private static func sendOnDyingConnection(_ method: String) async throws -> (HTTPClientError?, requests: Int) {
        try await onLoop { loop in
            let server = try await RawServer(on: loop) { $0.send(Self.answer) }
            let transport = HTTPTransport(on: loop)
            defer { transport.close() }
            _ = try await transport.collect(request(method, server))
            var end: Result<Void, HTTPClientError>?
            loop.spawn {
                do throws(HTTPClientError) {
                    _ = try await transport.collect(request(method, server))
                    end = .success(())
                } catch {
                    end = .failure(error)
                }
            }
            try await eventually("the second request", on: loop) { count(server) == 2 }
            #expect(server.connections.count == 1)
            server.connections[0].stream.close()
            try await eventually("an end", on: loop) { end != nil }
            switch end {
            case .failure(let error): return (error, count(server))
            case .success, nil: return (nil, count(server))
            }
        }
    }

    @Test("a POST whose reused connection dies before a response is not sent again")
    func post() async throws {
        let (error, requests) = try await Self.sendOnDyingConnection("POST")
        #expect(error == .closed)
        #expect(requests == 2)
    }

    @Test("a GET is")
    func get() async throws {
        let (error, requests) = try await Self.sendOnDyingConnection("GET")
        #expect(error == nil)
        #expect(requests == 3)
    }

    @Test("a connection that was closed while it was idle costs no request")
    func idle() async throws {
        try await onLoop { loop in
            let server = try await RawServer(on: loop) { $0.send(Self.answer) }
            let transport = HTTPTransport(on: loop)
            defer { transport.close() }
            for number in 1...3 {
                _ = try await transport.collect(Self.request("POST", server))
                #expect(Self.count(server) == number && server.connections.count == number)
                server.connections[number - 1].stream.close()
                try await turn(loop)
            }
        }
    }

    @Test("neither a redirect nor a demand for credentials sends a request again", arguments: [301, 307, 401, 407])
    func statuses(status: Int) async throws {
        try await onLoop { loop in
            let server = try await RawServer(on: loop) { connection in
                let fields = "Location: /\r\nWWW-Authenticate: Basic\r\nProxy-Authenticate: Basic\r\n"
                connection.send("HTTP/1.1 \(status) X\r\n\(fields)Content-Length: 0\r\n\r\n")
            }
            let transport = HTTPTransport(on: loop)
            defer { transport.close() }
            let (head, _) = try await transport.collect(Self.request("POST", server))
            #expect(head.status == status)
            #expect(Self.count(server) == 1)
        }
    }
}

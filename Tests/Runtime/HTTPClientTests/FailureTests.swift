import EventLoop
import HTTPClient
import TestSupport
import Testing

@Suite("HTTP client: what goes wrong", .tags(.integration))
struct FailureTests {
    private static let head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"

    /// The error of one request to a server that does `onRequest`; nil when there was none.
    private static func failure(
        _ adjust: @escaping @Sendable (inout HTTPClientRequest) -> Void = { _ in },
        _ onRequest: @escaping @Sendable (RawServer.Connection) -> Void
    ) async throws -> HTTPClientError? {
        try await onLoop { loop in
            let server = try await RawServer(on: loop, onRequest)
            let transport = HTTPTransport(on: loop)
            defer { transport.close() }
            var request = HTTPClientRequest("GET", server.url)
            request.proxy = .none
            request.timeouts.total = .seconds(10)
            adjust(&request)
            do throws(HTTPClientError) {
                _ = try await transport.collect(request)
                return nil
            } catch {
                try await eventually("the server sees the end", on: loop) { server.connections.allSatisfy(\.isClosed) }
                return error
            }
        }
    }

    @Test("A server that never answers ends at the limit for the head, at the idle limit, or at the total limit")
    func silence() async throws {
        #expect(
            try await Self.failure {
                $0.timeouts.response = .milliseconds(50)
            } _: { _ in
            } == .timedOut(.response)
        )
        #expect(
            try await Self.failure {
                $0.timeouts.idle = .milliseconds(50)
            } _: { _ in
            } == .timedOut(.idle)
        )
        #expect(
            try await Self.failure {
                $0.timeouts.total = .milliseconds(50)
            } _: { _ in
            } == .timedOut(.total)
        )
    }

    @Test("Silence within the body ends at the idle limit, however long the head took")
    func silentBody() async throws {
        let adjust: @Sendable (inout HTTPClientRequest) -> Void = {
            $0.timeouts.idle = .milliseconds(80)
            $0.timeouts.response = .seconds(5)
        }
        #expect(try await Self.failure(adjust) { $0.send(Self.head + "12345") } == .timedOut(.idle))
    }

    @Test("A slow drip does not look idle, but the total limit ends it")
    func drip() async throws {
        let adjust: @Sendable (inout HTTPClientRequest) -> Void = {
            $0.timeouts.idle = .milliseconds(150)
            $0.timeouts.total = .milliseconds(500)
        }
        let failure = try await Self.failure(adjust) { connection in
            connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            _ = connection.stream.loop.schedule(every: .milliseconds(20)) {
                if !connection.isClosed { connection.send("1\r\nx\r\n") }
            }
        }
        #expect(failure == .timedOut(.total))
    }

    @Test("An end before or within the response is distinguished from a complete one")
    func cut() async throws {
        #expect(try await Self.failure { $0.stream.close() } == .closed)
        #expect(
            try await Self.failure {
                $0.send("HTTP/1.1 200 OK\r\nConte")
                $0.stream.finish()
            } == .closed
        )
        #expect(
            try await Self.failure {
                $0.send(Self.head + "12345")
                $0.stream.finish()
            } == .closed
        )
        #expect(try await Self.failure { $0.send(Self.head + "1234567890") } == nil)
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n"
        #expect(
            try await Self.failure {
                $0.send(chunked)
                $0.stream.finish()
            } == .closed
        )
    }

    @Test("What is no HTTP is refused")
    func garbage() async throws {
        let answers = [
            "SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "\u{0}\u{1}\u{2}\r\n\r\n",
            "{}\r\n\r\n",
        ]
        for answer in answers {
            let failure = try await Self.failure {
                $0.send(answer)
                $0.stream.finish()
            }
            #expect(failure == .protocolViolation, "\(answer)")
        }
    }

    @Test("A head, a line or a body above its limit is refused while it arrives")
    func tooLarge() async throws {
        let endless = "HTTP/1.1 200 OK\r\n" + String(repeating: "X-Fill: 0123456789\r\n", count: 5000)
        #expect(try await Self.failure { $0.send(endless) } == .tooLarge(.head))
        let longLine = "HTTP/1.1 200 OK\r\nX: " + String(repeating: "x", count: 20_000) + "\r\n"
        #expect(try await Self.failure { $0.send(longLine) } == .tooLarge(.head))
        let noLineEnd = "HTTP/1.1 200 OK\r\nX: " + String(repeating: "x", count: 200_000)
        #expect(try await Self.failure { $0.send(noLineEnd) } == .tooLarge(.head))
        let large = try await Self.failure {
            $0.limits.bodyBytesMax = 9
        } _: {
            $0.send(Self.head + "1234567890")
        }
        #expect(large == .tooLarge(.body))
    }

    @Test("A refused connection, an unknown name and a server without TLS are distinguished")
    func unreachable() async throws {
        let port = try LoopbackSocket.freePort()
        #expect(
            try await Self.failure {
                $0.url = "http://127.0.0.1:\(port)/"
            } _: { _ in
            } == .connect
        )
        #expect(
            try await Self.failure {
                $0.url = "http://no-such-host.invalid/"
            } _: { _ in
            } == .resolve
        )
        let secure = try await Self.failure {
            $0.url = "https" + $0.url.dropFirst(4)
            $0.timeouts.connect = .milliseconds(200)
        } _: { _ in
        }
        #expect(secure == .timedOut(.connect))
    }

    @Test("What cannot be sent is refused before anything is sent")
    func invalid() async throws {
        let adjustments: [@Sendable (inout HTTPClientRequest) -> Void] = [
            { $0.url = "ftp://127.0.0.1/" }, { $0.url = "file:///etc/passwd" }, { $0.url = "127.0.0.1" },
            { $0.url = "" },
            { $0.url += "a b" }, { $0.url += "\r\nX: y" }, { $0.method = "GET /x HTTP/1.1\r\n" }, { $0.method = "" },
            { $0.headers = [("X", "a\r\nY: b")] }, { $0.headers = [("X: y\r\nZ", "a")] }, { $0.headers = [("", "a")] },
        ]
        for adjust in adjustments {
            let failure = try await Self.failure(adjust) { _ in Issue.record("a request arrived") }
            #expect(failure == .invalidRequest)
        }
    }

    @Test("No error text contains an address or what was sent")
    func texts() {
        let errors: [HTTPClientError] = [
            .invalidRequest, .resolve, .connect, .tls, .timedOut(.connect), .timedOut(.idle), .tooLarge(.head), .closed,
            .protocolViolation, .cancelled, .failed(code: 7),
        ]
        for error in errors { #expect(!error.description.contains("127")) }
        #expect(Set(errors.map(\.description)).count == errors.count)
    }
}

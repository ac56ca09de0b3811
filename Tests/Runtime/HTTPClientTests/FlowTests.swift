import EventLoop
import HTTPClient
import TestSupport
import Testing

@Suite("HTTP client: how fast a response is read, and where it ends", .tags(.integration))
struct FlowTests {
    private static let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    private static func chunk(_ text: String) -> String {
        "\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n"
    }

    @Test("Without room nothing is read: the server cannot send on; afterwards everything arrives")
    func pause() async throws {
        try await onLoop { loop in
            let piece = Self.chunk(String(repeating: "x", count: 16_000))
            let count = 2000
            let server = try await RawServer(on: loop) { connection in
                connection.send(Self.head)
                for _ in 0..<count { connection.send(piece) }
                connection.send("0\r\n\r\n")
            }
            let transport = HTTPTransport(on: loop)
            defer { transport.close() }
            var request = HTTPClientRequest("GET", server.url)
            request.timeouts.idle = .milliseconds(500)
            let room = OneShot<Void>(loop: loop)
            var bytes = 0
            var waits = 0
            var result: Result<Void, HTTPClientError>?
            loop.spawn {
                do throws(HTTPClientError) {
                    try await transport.perform(request) { _ in
                        .proceed
                    } onBody: { piece in
                        bytes += piece.count
                        return bytes > 1_000_000 ? .pause : .proceed
                    } waitForRoom: {
                        waits += 1
                        if waits > 1 { return true }
                        return (try? await room.value()) != nil
                    }
                    result = .success(())
                } catch {
                    result = .failure(error)
                }
            }
            try await eventually("a pause", on: loop) { waits == 1 || result != nil }
            // A later request with the same idle limit fails at it; the pause of this one, which is not the server's
            // silence, does not count.
            let silent = try await RawServer(on: loop) { $0.send(Self.head) }
            var other = HTTPClientRequest("GET", silent.url)
            other.timeouts.idle = request.timeouts.idle
            await #expect(throws: HTTPClientError.timedOut(.idle)) { _ = try await transport.collect(other) }
            #expect(bytes < 1_100_000)
            #expect(result == nil)
            room.succeed(())
            try await eventually("the end", on: loop) { result != nil }
            #expect(throws: Never.self) { try result?.get() }
            #expect(bytes == 16_000 * count)
            #expect(waits > 100, "each piece asked for a pause of its own")
        }
    }

    @Test("Cancelling during a pause closes the socket at once")
    func cancelledPause() async throws {
        try await onLoop { loop in
            let server = try await RawServer(on: loop) { $0.send(Self.head + Self.chunk("abc")) }
            let transport = HTTPTransport(on: loop)
            defer { transport.close() }
            let room = OneShot<Void>(loop: loop)
            var result: HTTPClientError?
            var isPaused = false
            let task = loop.spawn {
                do throws(HTTPClientError) {
                    try await transport.perform(HTTPClientRequest("GET", server.url)) { _ in
                        .proceed
                    } onBody: { _ in
                        .pause
                    } waitForRoom: {
                        isPaused = true
                        return (try? await room.value()) != nil
                    }
                } catch {
                    result = error
                }
            }
            try await eventually("a pause", on: loop) { isPaused }
            task.cancel()
            try await eventually("the server sees the end", on: loop) { server.connections[0].isClosed }
            #expect(result == .cancelled)
        }
    }

    @Test("A reader that has enough gets on at once; a connection whose response then ends serves again")
    func enough() async throws {
        try await onLoop { loop in
            let server = try await RawServer(on: loop) { $0.send(Self.head + Self.chunk("whole")) }
            let transport = HTTPTransport(on: loop)
            defer { transport.close() }
            func ask() async throws {
                try await transport.perform(HTTPClientRequest("GET", server.url)) { _ in
                    .proceed
                } onBody: { _ in
                    .enough
                }
            }
            try await ask()
            #expect(!server.connections[0].isClosed)
            server.connections[0].send("0\r\n\r\n")
            // The end of the response is read behind the request; until it has come, the next one needs a connection.
            try await eventually("a second request on the same connection", on: loop) {
                loop.spawn { try? await ask() }
                return server.connections.contains { $0.text.split(separator: "GET /").count > 1 }
            }
        }
    }

    @Test("A response that continues after its reader has enough is cut")
    func endlessRest() async throws {
        try await onLoop { loop in
            let server = try await RawServer(on: loop) { $0.send(Self.head + Self.chunk("whole")) }
            let transport = HTTPTransport(on: loop)
            defer { transport.close() }
            try await transport.perform(HTTPClientRequest("GET", server.url)) { _ in
                .proceed
            } onBody: { _ in
                .enough
            }
            try await eventually("the server sees the end", on: loop) {
                if !server.connections[0].isClosed { server.connections[0].send(Self.chunk("more")) }
                return server.connections[0].isClosed
            }
        }
    }

    @Test("A reader that only waits for formalities does not wait longer than it says")
    func conclude() async throws {
        try await onLoop { loop in
            let server = try await RawServer(on: loop) { $0.send(Self.head + Self.chunk("whole")) }
            let transport = HTTPTransport(on: loop)
            defer { transport.close() }
            try await transport.perform(HTTPClientRequest("GET", server.url)) { _ in
                .proceed
            } onBody: { _ in
                .conclude(within: .milliseconds(50))
            }
            try await eventually("the server sees the end", on: loop) { server.connections[0].isClosed }
        }
    }

    @Test("No compression is requested; a compressed response is unpacked, and broken compression is an error")
    func compression() async throws {
        try await onLoop { loop in
            let packed: [UInt8] = [
                31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 75, 73, 44, 73, 180, 82, 200, 200, 228, 226, 2, 0, 184, 164, 203, 178,
                10, 0, 0, 0,
            ]
            for body in [packed, Array("data: hi\n\n".utf8)] {
                let server = try await RawServer(on: loop) { connection in
                    let fields = "Content-Encoding: gzip\r\nContent-Length: \(body.count)\r\n"
                    connection.send("HTTP/1.1 200 OK\r\n\(fields)\r\n")
                    connection.send(body)
                }
                let transport = HTTPTransport(on: loop)
                defer { transport.close() }
                let request = HTTPClientRequest("GET", server.url)
                if body == packed {
                    let (_, text) = try await transport.collect(request)
                    #expect(String(decoding: text, as: UTF8.self) == "data: hi\n\n")
                    #expect(server.connections[0].text.contains("Accept-Encoding: identity\r\n"))
                } else {
                    await #expect(throws: HTTPClientError.protocolViolation) {
                        _ = try await transport.collect(request)
                    }
                }
            }
        }
    }

    @Test("Retry-After is read as seconds or as a date", arguments: ["7", "Fri, 01 Jan 2100 00:00:00 GMT", "soon", ""])
    func retryAfter(value: String) async throws {
        try await onLoop { loop in
            let server = try await RawServer(on: loop) { connection in
                let field = value.isEmpty ? "" : "Retry-After: \(value)\r\n"
                connection.send("HTTP/1.1 429 Too Many Requests\r\n\(field)Content-Length: 0\r\n\r\n")
            }
            let transport = HTTPTransport(on: loop)
            defer { transport.close() }
            let (head, _) = try await transport.collect(HTTPClientRequest("GET", server.url))
            switch value {
            case "7": #expect(head.retryAfter == .seconds(7))
            case "soon", "": #expect(head.retryAfter == nil)
            case _: #expect(head.retryAfter ?? .zero > .seconds(3600))
            }
        }
    }
}

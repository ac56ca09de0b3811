import EventLoop
import HTTPClient
import TestSupport
import Testing
import Text

@Suite("HTTP client: stopping early", .tags(.integration))
struct EndingTests {
    private static let stream = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"

    @Test("Pieces arrive as they are sent, long before the end")
    func live() async throws {
        try await onLoop { loop in
            let server = try await RawServer(on: loop) { $0.send(Self.stream) }
            let transport = HTTPTransport(on: loop)
            defer { transport.close() }
            var pieces: [String] = []
            var ended = false
            loop.spawn {
                try? await transport.perform(HTTPClientRequest("GET", server.url)) { _ in
                    .proceed
                } onBody: { bytes in
                    pieces.append(String(repairing: bytes))
                    return .proceed
                }
                ended = true
            }
            try await eventually("the first piece is there", on: loop) { pieces == ["abc"] }
            server.connections[0].send("2\r\nde\r\n")
            try await eventually("the second piece is there", on: loop) { pieces == ["abc", "de"] }
            #expect(!ended)
            server.connections[0].send("0\r\n\r\n")
            try await eventually("it has ended", on: loop) { ended }
        }
    }

    @Test("Cancelling the task closes the socket at once: while connecting, before the head, within the body")
    func cancellation() async throws {
        for answer in ["", Self.stream] {
            try await onLoop { loop in
                var arrived = false
                let server = try await RawServer(on: loop) { connection in
                    arrived = true
                    if !answer.isEmpty { connection.send(answer) }
                }
                let transport = HTTPTransport(on: loop)
                defer { transport.close() }
                var result: HTTPClientError?
                var pieces = 0
                // No limit of the request can end it.
                var request = HTTPClientRequest("GET", server.url)
                request.timeouts.idle = nil
                let task = loop.spawn { [request] in
                    do throws(HTTPClientError) {
                        try await transport.perform(request) { _ in
                            .proceed
                        } onBody: { _ in
                            pieces += 1
                            return .proceed
                        }
                    } catch {
                        result = error
                    }
                }
                try await eventually("the request is there", on: loop) { arrived && (answer.isEmpty || pieces == 1) }
                task.cancel()
                try await eventually("the server sees the end", on: loop) { server.connections[0].isClosed }
                #expect(result == .cancelled)
            }
        }
    }

    @Test("A task that is cancelled before it asks sends nothing")
    func cancelledBefore() async throws {
        try await onLoop { loop in
            let server = try await RawServer(on: loop) { _ in Issue.record("a request arrived") }
            let transport = HTTPTransport(on: loop)
            defer { transport.close() }
            var result: HTTPClientError?
            let task = loop.spawn {
                try? await loop.sleep(for: .seconds(60))
                do throws(HTTPClientError) {
                    _ = try await transport.collect(HTTPClientRequest("GET", server.url))
                } catch {
                    result = error
                }
            }
            task.cancel()
            try await eventually("it has ended", on: loop) { result == .cancelled }
            #expect(server.connections.isEmpty)
        }
    }

    @Test("A reader that has enough ends the request well and its connection with it")
    func stop() async throws {
        try await onLoop { loop in
            let server = try await RawServer(on: loop) { $0.send(Self.stream + "3\r\ndef\r\n") }
            let transport = HTTPTransport(on: loop)
            defer { transport.close() }
            var calls = 0
            try await transport.perform(HTTPClientRequest("GET", server.url)) { _ in
                .proceed
            } onBody: { _ in
                calls += 1
                return .stop
            }
            #expect(calls == 1)
            try await eventually("the server sees the end", on: loop) { server.connections[0].isClosed }
            try await transport.perform(HTTPClientRequest("GET", server.url)) { _ in
                .stop
            } onBody: { _ in
                Issue.record("a body was read")
                return .proceed
            }
        }
    }

    @Test("Closing the transport cancels what runs; afterwards nothing is sent")
    func close() async throws {
        try await onLoop { loop in
            let server = try await RawServer(on: loop) { _ in }
            let transport = HTTPTransport(on: loop)
            var results: [HTTPClientError] = []
            for _ in 0..<3 {
                loop.spawn {
                    do throws(HTTPClientError) {
                        _ = try await transport.collect(HTTPClientRequest("GET", server.url))
                    } catch {
                        results.append(error)
                    }
                }
            }
            try await eventually("three requests are there", on: loop) {
                server.connections.count == 3 && server.connections.allSatisfy { !$0.received.isEmpty }
            }
            transport.close()
            try await eventually("three have ended", on: loop) { results == [.cancelled, .cancelled, .cancelled] }
            try await eventually("the server sees it", on: loop) { server.connections.allSatisfy(\.isClosed) }
            await #expect(throws: HTTPClientError.cancelled) {
                _ = try await transport.collect(HTTPClientRequest("GET", server.url))
            }
        }
    }

    @Test("A callback may send the next request")
    func nested() async throws {
        try await onLoop { loop in
            let answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
            let server = try await RawServer(on: loop) { $0.send(answer) }
            let transport = HTTPTransport(on: loop)
            defer { transport.close() }
            let request = HTTPClientRequest("GET", server.url)
            var status = 0
            try await transport.perform(request) { _ in
                loop.spawn { if let (head, _) = try? await transport.collect(request) { status = head.status } }
                return .proceed
            } onBody: { _ in
                .proceed
            }
            try await eventually("the second one is answered", on: loop) { status == 200 }
        }
    }
}

import EventLoop
import HTTPClient
import TestSupport
import Testing

@Suite("HTTP client: child processes", .tags(.integration))
struct InheritanceTests {
    @Test("A connection ends with its request, though a child process was started meanwhile and lives on")
    func child() async throws {
        try await onLoop { loop in
            let server = try await RawServer(on: loop) { $0.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n") }
            let transport = HTTPTransport(on: loop)
            defer { transport.close() }
            let isAnswered = OneShot<Void>(loop: loop)
            let call = loop.spawn {
                try? await transport.perform(HTTPClientRequest("GET", server.url)) { _ in
                    isAnswered.succeed(())
                    return .proceed
                } onBody: { _ in
                    .proceed
                }
            }
            try await isAnswered.value()
            let child = try Subprocess.start("/bin/sleep", arguments: ["600"], environment: [:], on: loop)
            defer { child.kill() }
            call.cancel()
            await call.value
            try await eventually("the server sees the end", on: loop) { server.connections[0].isClosed }
            #expect(child.exit == nil)
        }
    }
}

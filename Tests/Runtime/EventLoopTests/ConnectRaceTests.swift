import Glibc
import TestSupport
import Testing

@testable import EventLoop

@Suite("Connecting to one of several addresses", .tags(.integration), .timeLimit(.minutes(2)))
struct ConnectRaceTests {
    @Test("An address that does not answer costs a moment, and not the limit")
    func silentAddress() async throws {
        let silent = [try FullListener(), try FullListener()]
        let ports = silent.map(\.port)
        try await onLoop { loop in
            let listener = try await TCPListener.listen(host: "127.0.0.1", port: 0, on: loop)
            listener.start(on: [loop]) { stream in stream.recorded().onRead = { stream.write($0) } }
            let race = try await race(ports + [listener.port], on: loop)
            let stream = try await race.run(within: .seconds(3600))
            let recorder = stream.recorded()
            stream.write("there and back")
            try await eventually("the echo arrives", on: loop) { recorder.text == "there and back" }
        }
    }

    @Test("An address that refuses is followed by the next one at once")
    func refusal() async throws {
        let closed = try (0..<40).map { _ in try LoopbackSocket.freePort() }
        try await onLoop { loop in
            let listener = try await TCPListener.listen(host: "127.0.0.1", port: 0, on: loop)
            listener.start(on: [loop]) { _ in }
            // Without the refusals the next address would be tried in an hour.
            let race = try await race(closed + [listener.port], on: loop, stagger: .seconds(3600))
            _ = try await race.run(within: .seconds(60))
        }
    }

    @Test("An address that answers late is still used, though others have failed meanwhile")
    func late() async throws {
        nonisolated(unsafe) let full = try FullListener()
        let closed = try LoopbackSocket.freePort()
        try await onLoop { loop in
            let race = try unsafe await race([full.port, closed], on: loop)
            let opening = loop.schedule(every: ConnectRace.stagger * 2) { unsafe full.accept() }
            defer { opening.close() }
            _ = try await race.run(within: .seconds(60))
        }
    }

    @Test("If none answers, the limit ends all attempts; if all fail, the last failure is reported")
    func failures() async throws {
        let silent = try FullListener()
        let silentPort = silent.port
        let closed = try [LoopbackSocket.freePort(), LoopbackSocket.freePort()]
        await #expect(throws: NetworkError.timedOut) {
            try await onLoop { loop in
                _ = try await race([silentPort, closed[0]], on: loop).run(within: .milliseconds(400))
            }
        }
        await #expect(throws: NetworkError(code: -ECONNREFUSED)) {
            try await onLoop { loop in _ = try await race(closed, on: loop).run(within: .seconds(60)) }
        }
    }

    @Test("The families take turns, beginning with the preferred one's")
    func families() async throws {
        let order = try await onLoop { loop in
            var addresses: [SocketAddress] = []
            for host in ["2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1", "192.0.2.2"] {
                addresses += try await resolve(host: host, port: 80, on: loop, within: .seconds(10))
            }
            return ConnectRace.interleaved(addresses).map(\.numericHost)
        }
        #expect(order == ["2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2", "2001:db8::3"])
    }

    private func race(
        _ ports: [Int],
        on loop: Loop,
        stagger: Duration = ConnectRace.stagger
    ) async throws -> ConnectRace {
        var addresses: [SocketAddress] = []
        for port in ports {
            addresses += try await resolve(host: "127.0.0.1", port: port, on: loop, within: .seconds(10))
        }
        return ConnectRace(addresses, on: loop, stagger: stagger)
    }
}

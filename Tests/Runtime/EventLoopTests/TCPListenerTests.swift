import EventLoop
import Glibc
import TestSupport
import Testing

@Suite("Listening", .tags(.integration))
struct TCPListenerTests {
    @Test("Connections are dealt out to the loops in turn, each on its own thread")
    func dealing() async throws {
        let group = LoopGroup(count: 4)
        defer { group.stop() }
        let accepted = Shared<[Int: Int]>([:])
        let port = try await group.loops[0].run { loop in
            let listener = try await TCPListener.listen(host: "127.0.0.1", port: 0, on: loop)
            listener.start(on: group.loops) { stream in
                #expect(stream.loop.isCurrent)
                let index = stream.loop.index
                accepted.change { $0[index, default: 0] += 1 }
            }
            return listener.port
        }
        let clients = try (0..<20).map { _ in try RawClient(port: port) }
        #expect(try await eventually(within: .seconds(60)) { accepted.value.values.reduce(0, +) == 20 })
        #expect(accepted.value == [0: 5, 1: 5, 2: 5, 3: 5])
        for client in clients { client.close() }
    }

    @Test("A port in use is an error")
    func inUse() async throws {
        try await onLoop { loop in
            let listener = try await TCPListener.listen(host: "127.0.0.1", port: 0, on: loop)
            let port = listener.port
            await #expect(throws: NetworkError.addressInUse) {
                try await TCPListener.listen(host: "127.0.0.1", port: port, on: loop)
            }
        }
    }

    @Test("Connections made before the listener starts wait for it")
    func backlog() async throws {
        try await onLoop { loop in
            let listener = try await TCPListener.listen(host: "127.0.0.1", port: 0, on: loop)
            let client = try RawClient(port: listener.port)
            listener.start(on: [loop]) { stream in
                stream.write("welcome")
                stream.finish()
            }
            var isAnswered = false
            client.shutdownSending()
            try await eventually("the connection is served", on: loop) {
                if !client.isSilent(for: .zero) { isAnswered = true }
                return isAnswered
            }
            #expect(try client.readToEnd() == "welcome")
        }
    }

    @Test("What has come by the end of listening is still accepted, on whatever loop")
    func finish() async throws {
        let group = LoopGroup(count: 3)
        defer { group.stop() }
        try await onLoop { loop in
            let listener = try await TCPListener.listen(host: "127.0.0.1", port: 0, on: loop)
            let port = listener.port
            let clients = try (0..<200).map { _ in try RawClient(port: port) }
            listener.start(on: group.loops) { stream in
                stream.write("welcome")
                stream.finish()
            }
            listener.finish()
            for client in clients {
                client.shutdownSending()
                #expect(try client.readToEnd() == "welcome")
            }
            try await eventually("the port refuses", on: loop) { (try? RawClient(port: port)) == nil }
        }
    }

    @Test("Closing gives the port back; connections that were accepted live on")
    func close() async throws {
        try await onLoop { loop in
            let listener = try await TCPListener.listen(host: "127.0.0.1", port: 0, on: loop)
            let port = listener.port
            let count = LoopBound(Count(), of: loop)
            listener.start(on: [loop]) { stream in
                stream.recorded().onRead = { stream.write($0) }
                count.onLoop.value += 1
            }
            let peer = Peer(descriptor: try Peer.connectingSocket(to: port, blocking: true))
            try await eventually("the connection is accepted", on: loop) { count.onLoop.value == 1 }
            listener.close()
            listener.close()
            // A child of another test has a copy of the socket until it executes its program.
            try await eventually("the port refuses", on: loop) { (try? RawClient(port: port)) == nil }
            let next = try await TCPListener.listen(host: "127.0.0.1", port: port, on: loop)
            #expect(next.port == port)
            peer.write("still here")
            #expect(try await peer.nextRead(on: loop) == .bytes(Array("still here".utf8)))
        }
    }

    @Test("Out of descriptors, the listener pauses and takes the waiting connections later")
    func exhaustion() async {
        // In a process of its own, because the limit is the process's.
        await #expect(processExitsWith: .success) {
            try await onLoop { loop in
                let listener = try await TCPListener.listen(host: "127.0.0.1", port: 0, on: loop)
                let port = listener.port
                let waiting = try (0..<8).map { _ in try Peer.connectingSocket(to: port, blocking: true) }
                var limit = rlimit()
                unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
                let usual = limit.rlim_cur
                limit.rlim_cur = rlim_t(waiting[7]) + 3
                unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
                let count = LoopBound(Count(), of: loop)
                let pauses = LoopBound(Count(), of: loop)
                let open = LoopBound(Streams(), of: loop)
                listener.start(on: [loop], onExhausted: { pauses.onLoop.value += 1 }) { stream in
                    open.onLoop.all.append(stream)
                    count.onLoop.value += 1
                }
                try await eventually("it has paused twice", on: loop) { pauses.onLoop.value == 2 }
                guard 1..<8 ~= count.onLoop.value else { throw NeverHappened(what: "descriptors run out") }
                limit.rlim_cur = usual
                unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
                try await eventually("the rest is accepted", on: loop) { count.onLoop.value == 8 }
            }
        }
    }

    @Test("What a loop does not take waits in the kernel beyond a bound, and is accepted when the loop turns again")
    func handOvers() async throws {
        let group = LoopGroup(count: 2)
        defer { group.stop() }
        let isHeld = Shared(true)
        defer { isHeld.change { $0 = false } }
        // A loop that is busy.
        group.loops[1].execute { while isHeld.value { usleep(1000) } }
        let accepted = Shared(0)
        let port = try await group.loops[0].run { loop in
            let listener = try await TCPListener.listen(host: "127.0.0.1", port: 0, on: loop)
            listener.start(on: [group.loops[1]]) { stream in
                accepted.change { $0 += 1 }
                stream.close()
            }
            return listener.port
        }
        let rest = 20
        let count = TCPListener.handOversMax + rest
        let clients = try (0..<count).map { _ in try RawClient(port: port) }
        #expect(try await eventually { Self.acceptQueue(ofPort: port) == rest })
        isHeld.change { $0 = false }
        #expect(try await eventually { accepted.value == count })
        for client in clients { client.close() }
    }

    /// Connections that wait for accept(2), which a listening socket shows as its receive queue (proc_net_tcp).
    private static func acceptQueue(ofPort port: Int) -> Int {
        // Ports of four hexadecimal digits only, as those are that the system chooses.
        let local = "0100007F:" + String(port, radix: 16, uppercase: true)
        let lines = textOfFile("/proc/net/tcp").split(separator: "\n")
        let socket = lines.map { $0.split(separator: " ") }.first { $0.count > 4 && $0[1] == local && $0[3] == "0A" }
        return socket.flatMap { Int($0[4].split(separator: ":")[1], radix: 16) } ?? -1
    }

    private final class Count {
        var value = 0
    }

    private final class Streams {
        var all: [ByteStream] = []
    }
}

import EventLoop
import Glibc
import TestSupport
import Testing

@Suite("Connecting", .tags(.integration))
struct ConnectTests {
    @Test("A connection by address and by name carries bytes", arguments: ["127.0.0.1", "localhost"])
    func success(_ host: String) async throws {
        try await onLoop { loop in
            let listener = try await TCPListener.listen(host: "127.0.0.1", port: 0, on: loop)
            listener.start(on: [loop]) { stream in stream.recorded().onRead = { stream.write($0) } }
            let endpoint = Endpoint.tcp(host: host, port: listener.port)
            let stream = try await ByteStream.connect(to: endpoint, on: loop, within: .seconds(10))
            #expect(stream.peerAddress == "127.0.0.1")
            let recorder = stream.recorded()
            stream.write("there and back")
            try await eventually("the echo arrives", on: loop) { recorder.text == "there and back" }
        }
    }

    @Test("A port without a listener refuses")
    func refused() async throws {
        let port = try LoopbackSocket.freePort()
        await #expect(throws: NetworkError(code: -ECONNREFUSED)) {
            try await connect(.tcp(host: "127.0.0.1", port: port))
        }
    }

    @Test("A peer that does not answer costs no more than the limit")
    func timeout() async throws {
        let full = try FullListener()
        await #expect(throws: NetworkError.timedOut) {
            try await connect(.tcp(host: "127.0.0.1", port: full.port), within: .milliseconds(50))
        }
    }

    @Test("Cancelling the task ends the attempt and closes its socket")
    func cancellation() async throws {
        let full = try FullListener()
        let port = full.port
        try await onLoop { loop in
            var failure: NetworkError?
            let task = loop.spawn {
                do throws(NetworkError) {
                    let endpoint = Endpoint.tcp(host: "127.0.0.1", port: port)
                    _ = try await ByteStream.connect(to: endpoint, on: loop, within: .seconds(60))
                } catch {
                    failure = error
                }
            }
            try await turn(loop)
            #expect(failure == nil)
            task.cancel()
            await task.value
            #expect(failure == .cancelled)
        }
    }

    @Test("A Unix-domain socket connects; a missing and an overlong path are errors")
    func unix() async throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/socket"
        await #expect(throws: NetworkError(code: -ENOENT)) { try await connect(.unix(path: path)) }
        let long = "/" + String(repeating: "x", count: 200)
        await #expect(throws: NetworkError(code: -ENAMETOOLONG)) { try await connect(.unix(path: long)) }
        let listening = try unixListener(path)
        defer { close(listening) }
        try await onLoop { loop in
            let stream = try await ByteStream.connect(to: .unix(path: path), on: loop, within: .seconds(10))
            let peer = Peer(descriptor: accept(listening, nil, nil))
            #expect(stream.peerAddress.isEmpty)
            let recorder = stream.recorded()
            peer.write("hello")
            stream.write("hello too")
            #expect(try await peer.nextRead(on: loop) == .bytes(Array("hello too".utf8)))
            try await eventually("the bytes arrive", on: loop) { recorder.text == "hello" }
        }
    }

    @Test("A name that cannot be one is an error, not a wait")
    func resolution() async throws {
        let name = String(repeating: "a", count: 64) + ".invalid"
        await #expect(throws: NetworkError.self) { try await connect(.tcp(host: name, port: 1)) }
        let long = String(repeating: "a.", count: 200)
        await #expect(throws: NetworkError.self) { try await connect(.tcp(host: long, port: 1)) }
    }

    @Test("Endpoints read as one writes them")
    func endpoints() {
        #expect(Endpoint.tcp(host: "127.0.0.1", port: 80).description == "127.0.0.1:80")
        #expect(Endpoint.tcp(host: "::1", port: 80).description == "[::1]:80")
        #expect(Endpoint.unix(path: "/run/x").description == "/run/x")
        #expect(NetworkError(code: -ECONNREFUSED).description == "ECONNREFUSED: connection refused")
    }

    private func connect(_ endpoint: Endpoint, within limit: Duration = .seconds(10)) async throws {
        try await onLoop { loop in _ = try await ByteStream.connect(to: endpoint, on: loop, within: limit) }
    }

    private func unixListener(_ path: String) throws -> Int32 {
        let descriptor = socket(AF_UNIX, streamSocket, 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
        let status = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard status == 0, listen(descriptor, 1) == 0 else { throw Peer.NoSocket(code: errno) }
        return descriptor
    }
}

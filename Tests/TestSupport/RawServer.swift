package import EventLoop
internal import Text

/// A server on the test's loop that sends exactly the bytes that the test gives it.
package final class RawServer {
    /// One connection, from the server's side.
    package final class Connection: ByteStreamDelegate {
        package let stream: ByteStream
        package private(set) var received: [UInt8] = []
        package private(set) var isClosed = false
        private var onRequest: ((Connection) -> Void)?

        init(_ stream: ByteStream, onRequest: @escaping (Connection) -> Void) {
            self.stream = stream
            self.onRequest = onRequest
        }

        package var text: String { String(decoding: received, as: UTF8.self) }

        package func send(_ text: String) { send(Array(text.utf8)) }

        package func send(_ bytes: [UInt8]) { stream.write(bytes) }

        package func streamDidRead(_ bytes: Span<UInt8>) {
            received.append(copying: bytes)
            guard received.firstRange(of: Array("\r\n\r\n".utf8)) != nil, let action = onRequest else { return }
            onRequest = nil
            action(self)
        }

        package func streamDidReachEnd() { stream.close() }
        package func streamDidDrain() {}
        package func streamDidClose(_ failure: StreamFailure?) { isClosed = true }
    }

    package private(set) var connections: [Connection] = []
    private let listener: TCPListener

    package var port: Int { listener.port }
    package var url: String { "http://127.0.0.1:\(port)/" }

    /// Listens on a free port; `onRequest` runs when a connection's first head has arrived.
    package init(on loop: Loop, _ onRequest: @escaping (Connection) -> Void) async throws {
        listener = try await TCPListener.listen(host: "127.0.0.1", port: 0, on: loop)
        // Safety: the connections are accepted on this loop, on whose thread all of this runs.
        nonisolated(unsafe) let unsafeSelf = self
        nonisolated(unsafe) let onRequest = onRequest
        listener.start(on: [loop]) { stream in
            let connection = unsafe Connection(stream, onRequest: onRequest)
            unsafe unsafeSelf.connections.append(connection)
            stream.delegate = connection
            stream.startReading()
        }
    }
}

internal import Glibc

/// Listens on 127.0.0.1 without accepting and with a full backlog, so that the kernel drops the SYN of new connections.
package final class FullListener {
    package let port: Int
    private let descriptor: Int32
    private var waiting: [Int32] = []

    package init() throws {
        descriptor = socket(AF_INET, streamSocket, 0)
        port = try LoopbackSocket.bind(descriptor)
        listen(descriptor, 0)
        // The first fills the backlog, the second waits for a place in it.
        waiting.append(LoopbackSocket.connecting(to: port, streamSocket))
        waiting.append(LoopbackSocket.connecting(to: port, streamSocket | Int32(SOCK_NONBLOCK.rawValue)))
    }

    /// Accepts the waiting connections, so that the kernel answers the next SYN of the others.
    package func accept() {
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        while case let accepted = Glibc.accept(descriptor, nil, nil), accepted >= 0 { waiting.append(accepted) }
    }

    deinit { for descriptor in waiting + [descriptor] { close(descriptor) } }
}

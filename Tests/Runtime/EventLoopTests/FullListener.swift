import Glibc
import TestSupport

/// Listens without accepting, its queue full, so that the kernel leaves new connections without an answer.
final class FullListener {
    let port: Int
    private let descriptor: Int32
    private var waiting: [Int32] = []

    init() throws {
        (descriptor, port) = try Peer.listeningSocket(backlog: 0)
        waiting.append(try Peer.connectingSocket(to: port, blocking: true))
        waiting.append(try Peer.connectingSocket(to: port, blocking: false))
    }

    /// Takes the connections that wait, so that the kernel answers the others when they ask again.
    func accept() {
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        while case let accepted = Glibc.accept(descriptor, nil, nil), accepted >= 0 { waiting.append(accepted) }
    }

    deinit { for descriptor in waiting + [descriptor] { close(descriptor) } }
}

internal import CUV

/// Polls a socket that a C library owns, reads and writes.
///
/// Level-triggered: the action runs in each turn while the socket is ready. Close the poll before the socket is closed;
/// a socket may have one poll at a time.
package final class SocketPoll: LoopHandle {
    /// The operations that a socket is polled for, or is ready for.
    package struct Readiness: OptionSet, Sendable {
        package let rawValue: Int32
        package init(rawValue: Int32) { self.rawValue = rawValue }

        /// Bytes or the end can be read; a connection can be accepted.
        package static let readable = Readiness(rawValue: Int32(UV_READABLE.rawValue))
        /// Bytes can be written; a connection is established.
        package static let writable = Readiness(rawValue: Int32(UV_WRITABLE.rawValue))
    }

    private var action: ((Readiness) -> Void)?

    /// Creates an inactive poll for the socket's descriptor, which becomes non-blocking.
    ///
    /// `action` runs until the poll is closed. A socket error is reported as ready for everything, so that the owner's
    /// next call returns it. *Loop thread.*
    package init(socket: Int32, on loop: Loop, action: @escaping (Readiness) -> Void) throws(NetworkError) {
        super.init(on: loop, handle: UV_POLL)
        try unsafe check(uv_poll_init_socket(loop.core.uv, pointer(as: uv_poll_t.self), socket))
        adopt()
        self.action = action
    }

    /// Starts to poll for `readiness`; an empty set stops the poll.
    package func watch(for readiness: Readiness) throws(NetworkError) {
        guard !isClosed else { return }
        let poll = unsafe pointer(as: uv_poll_t.self)
        guard !readiness.isEmpty else { return try unsafe check(uv_poll_stop(poll)) }
        try unsafe check(
            uv_poll_start(poll, readiness.rawValue) { poll, status, events in
                let readiness: Readiness = status < 0 ? [.readable, .writable] : Readiness(rawValue: events)
                unsafe LoopHandle.of(poll, as: SocketPoll.self).action?(readiness)
            }
        )
    }

    override func willClose() { action = nil }
}

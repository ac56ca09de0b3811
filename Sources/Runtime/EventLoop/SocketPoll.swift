internal import CUV

/// Watches a socket that somebody else owns, such as a C library that does its own reading and writing.
///
/// Level-triggered: the action comes again in each turn as long as the socket is ready. Close the poll before the
/// socket is closed; there may be one poll for a socket at a time.
package final class SocketPoll: LoopHandle {
    /// What a socket is watched for, or is ready for.
    package struct Readiness: OptionSet, Sendable {
        package let rawValue: Int32
        package init(rawValue: Int32) { self.rawValue = rawValue }

        /// Bytes, or the end, can be read; a connection can be accepted.
        package static let readable = Readiness(rawValue: Int32(UV_READABLE.rawValue))
        /// Bytes can be written; a connection is made.
        package static let writable = Readiness(rawValue: Int32(UV_WRITABLE.rawValue))
    }

    private var action: ((Readiness) -> Void)?

    /// Makes a poll that does not watch yet, for the socket's descriptor, which becomes non-blocking.
    ///
    /// `action` runs until the poll is closed. An error of the socket reads as ready for everything, so that the owner
    /// meets it in its next call. *Loop thread.*
    package init(socket: Int32, on loop: Loop, action: @escaping (Readiness) -> Void) throws(NetworkError) {
        super.init(on: loop, handle: UV_POLL)
        try check(uv_poll_init_socket(loop.core.uv, pointer(as: uv_poll_t.self), socket))
        adopt()
        self.action = action
    }

    /// Watches for `readiness` from now on; empty watches for nothing.
    package func watch(for readiness: Readiness) throws(NetworkError) {
        guard !isClosed else { return }
        let poll = pointer(as: uv_poll_t.self)
        guard !readiness.isEmpty else { return try check(uv_poll_stop(poll)) }
        try check(
            uv_poll_start(poll, readiness.rawValue) { poll, status, events in
                let readiness: Readiness = status < 0 ? [.readable, .writable] : Readiness(rawValue: events)
                LoopHandle.of(poll, as: SocketPoll.self).action?(readiness)
            }
        )
    }

    override func willClose() { action = nil }
}

package import EventLoop

/// Another protocol that a client asks for on its connection (RFC 9110, section 7.8), such as `websocket`.
///
/// Only a request makes one, so that a connection is never upgraded without the client's wish.
package struct HTTPUpgrade: Sendable {
    /// As the server spells it.
    let protocolName: String

    fileprivate init(protocolName: String) { self.protocolName = protocolName }
}

extension HTTPRequest {
    /// The upgrade to `protocolName`, for ``HTTPExchange/upgrade(_:headers:owner:)``; nil where the client does not ask for
    /// it.
    ///
    /// HTTP/1.0 has no upgrade, so its fields are ignored there. Case is ignored.
    package func upgrade(to protocolName: String) -> HTTPUpgrade? {
        guard version == .http11, headers.contains("upgrade", in: "Connection"),
            headers.contains(protocolName, in: "Upgrade")
        else { return nil }
        return HTTPUpgrade(protocolName: protocolName)
    }
}

/// The protocol that owns a connection after an upgrade, on the loop's thread.
///
/// It is retained until the stream has closed, reads through the callbacks of ``ByteStreamDelegate``, and writes to and
/// closes the stream itself. Bytes that the client sent behind its request arrive first. The server's limits on output
/// that a client does not take (``HTTPServerOptions/streamStallTimeout``) still hold; all other time limits are the
/// owner's.
package protocol UpgradedConnectionDelegate: ByteStreamDelegate {
    /// The server begins to drain: finish what is under way, then close the stream.
    ///
    /// The server closes the streams that are still open at the end of the drain.
    func serverDidBeginDraining()
}

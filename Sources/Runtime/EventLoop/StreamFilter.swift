/// A security layer between a socket and the stream's delegate, such as TLS.
///
/// Pure computation, no I/O of its own.
package protocol StreamFilter: AnyObject {
    /// Processes bytes from the socket and calls `deliver` with the decrypted bytes, if any.
    func receive(
        _ bytes: Span<UInt8>,
        deliver: (Span<UInt8>) -> Void
    ) throws(StreamFilterError)

    /// Appends the bytes for the socket to `sealed`: handshake messages and, once the handshake is complete, all of
    /// `plain`, which it empties. Before that it leaves `plain` unchanged.
    func seal(_ plain: inout [UInt8], into sealed: inout [UInt8])

    /// Appends the message that ends this side of the secure stream, if the handshake was completed.
    func sealEnd(into sealed: inout [UInt8])

    /// True once the peer has ended the secure stream with its closing message.
    var peerHasFinished: Bool { get }
}

extension StreamFilter {
    /// For a layer without a closing message.
    package func sealEnd(into sealed: inout [UInt8]) {}
}

/// Why the security layer failed; the text contains no secret.
package struct StreamFilterError: Error {
    package let reason: String
    package init(reason: String) { self.reason = reason }
}

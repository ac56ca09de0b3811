/// A security layer between a socket and the stream's delegate, such as TLS.
///
/// Pure computation, no I/O of its own.
package protocol StreamFilter: AnyObject {
    /// Takes bytes from the socket and hands what they decrypt to, if anything, to `deliver`.
    func receive(
        _ bytes: UnsafeRawBufferPointer,
        deliver: (UnsafeRawBufferPointer) -> Void
    ) throws(StreamFilterError)

    /// Appends to `sealed` what should go to the socket: handshake messages and, once the handshake is over, all of
    /// `plain`, which it empties. Before that it leaves `plain` as it is.
    func seal(_ plain: inout [UInt8], into sealed: inout [UInt8])

    /// Appends to `sealed` the words that end our side of the secure stream in order, if it was ever open.
    func sealEnd(into sealed: inout [UInt8])

    /// True once the peer has ended the secure stream in order.
    var peerHasFinished: Bool { get }
}

extension StreamFilter {
    /// A layer without words for the end says nothing.
    package func sealEnd(into sealed: inout [UInt8]) {}
}

/// Why the security layer gave up; the text names no secret.
package struct StreamFilterError: Error {
    package let reason: String
    package init(reason: String) { self.reason = reason }
}

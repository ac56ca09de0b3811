internal import EventLoop

/// The callbacks to the writer of a streaming response, on the loop's thread.
package protocol HTTPResponseStreamDelegate: AnyObject {
    /// The kernel has accepted all output.
    ///
    /// Called when output had to wait for the client, or after ``HTTPResponseStream/awaitDrain()``.
    func responseStreamDidDrain(_ stream: HTTPResponseStream)
    /// The connection closed before ``HTTPResponseStream/end()``; no other callback follows.
    func responseStreamDidClose(_ stream: HTTPResponseStream, because loss: StreamLoss)
}

/// Why the connection of a streaming response closed.
package enum StreamLoss: Sendable {
    /// The client closed its side.
    case clientLeft
    /// The connection broke.
    case failed
    /// The client took nothing of the output for too long.
    case stalled
    /// The server closed the connection.
    case serverClosed
}

/// A response body that is written piece by piece, such as server-sent events.
///
/// All pieces of one loop turn leave in one system call and, with HTTP/1.1, in one chunk: the chunk's size has a fixed
/// width and is overwritten as the chunk grows, so that a piece costs no framing of its own. The stream closes as soon as
/// the client closes its side, or its sending side alone, which is what an `EventSource` does that leaves. Loop-owned.
package final class HTTPResponseStream {
    /// Hexadecimal digits of a chunk's size; leading zeros are allowed (RFC 9112, section 7.1).
    private static let sizeDigits = 6
    /// Above this size, the next piece begins another chunk.
    private static let chunkBytesWanted = 65_536
    /// The largest piece whose chunk's size fits the fixed width.
    private static let pieceBytesMax = 1 << (4 * sizeDigits) - 1 - chunkBytesWanted

    private var connection: HTTPConnection?
    private var delegate: (any HTTPResponseStreamDelegate)?
    private let isChunked: Bool
    /// Where the last chunk begins and ends in the output.
    ///
    /// Void once the output has been flushed, which its length shows, because only this stream appends to it.
    private var chunkStart = 0
    private var chunkEnd = 0

    init(connection: HTTPConnection?, isChunked: Bool, delegate: (any HTTPResponseStreamDelegate)?) {
        self.connection = connection
        self.isChunked = isChunked
        self.delegate = connection == nil ? nil : delegate
    }

    /// A stream that takes nothing, for a response without a body or a connection that has closed.
    static var closed: HTTPResponseStream { HTTPResponseStream(connection: nil, isChunked: false, delegate: nil) }

    /// True after ``end()``, ``abort()`` or the end of the connection; writing does nothing then.
    package var isClosed: Bool { connection == nil }

    /// Bytes that the kernel has not accepted yet.
    ///
    /// The stream has no limit of its own: a writer stops at its own bound.
    package var pendingBytes: Int { connection?.stream.pendingBytes ?? 0 }

    /// How long the client's side has acknowledged nothing of what is on its way to it, in milliseconds; grows only where
    /// the client or the network to it is gone, not where the client is slow.
    package var clientSilenceMilliseconds: Int64 { connection?.stream.peerSilenceMilliseconds ?? 0 }

    /// Has the delegate called once when the kernel has accepted everything written so far.
    package func awaitDrain() { connection?.stream.awaitDrain() }

    /// Lets `body` append to the connection's output in place; at most 16 MB at once.
    package func write(_ body: (inout [UInt8]) -> Void) {
        guard let connection else { return }
        guard isChunked else { return connection.stream.write(body) }
        connection.stream.write { output in
            if output.count == chunkEnd, chunkEnd - chunkStart < Self.chunkBytesWanted, chunkEnd > 0 {
                output.removeLast(2)
            } else {
                chunkStart = output.count
                output.append("000000\r\n")
            }
            let pieceStart = output.count
            body(&output)
            precondition(output.count - pieceStart <= Self.pieceBytesMax, "a piece of a stream must be below 16 MB")
            let dataStart = chunkStart + Self.sizeDigits + 2
            if output.count == dataStart {
                output.removeLast(Self.sizeDigits + 2)  // An empty chunk would end the body.
                chunkEnd = 0
                return
            }
            patchSize(output.count - dataStart, in: &output)
            output.append("\r\n")
            chunkEnd = output.count
        }
    }

    private func patchSize(_ size: Int, in output: inout [UInt8]) {
        var rest = size
        var index = chunkStart + Self.sizeDigits
        while rest > 0 {
            index -= 1
            let digit = UInt8(rest & 15)
            output[index] = digit < 10 ? 0x30 + digit : 0x57 + digit
            rest >>= 4
        }
    }

    /// Completes the response.
    package func end() {
        guard let connection else { return }
        if isChunked { connection.stream.write { $0.append("0\r\n\r\n") } }
        detach()
        connection.didEndStream()
    }

    /// Closes the connection without completing the response, so that the client notices that something is missing.
    ///
    /// The delegate is not called.
    package func abort() {
        guard let connection else { return }
        detach()
        connection.stream.close()
    }

    func didDrain() { delegate?.responseStreamDidDrain(self) }

    /// The connection has closed.
    func didClose(_ loss: StreamLoss) {
        let delegate = delegate
        detach()
        delegate?.responseStreamDidClose(self, because: loss)
    }

    private func detach() {
        connection = nil
        delegate = nil
    }
}

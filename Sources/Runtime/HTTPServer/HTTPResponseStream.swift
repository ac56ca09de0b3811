internal import EventLoop

/// What the writer of a streaming response hears about it, on the loop's thread.
package protocol HTTPResponseStreamDelegate: AnyObject {
    /// The client has taken everything after it had stalled.
    ///
    /// When nothing had to wait it is only called after ``HTTPResponseStream/awaitDrain()``.
    func responseStreamDidDrain(_ stream: HTTPResponseStream)
    /// The connection is gone before ``HTTPResponseStream/end()``; nothing else follows.
    func responseStreamDidClose(_ stream: HTTPResponseStream, because loss: StreamLoss)
}

/// Why a streaming response's connection went away.
package enum StreamLoss: Sendable {
    /// The client has closed its side.
    case clientLeft
    /// The connection broke.
    case failed
    /// The client took nothing for too long.
    case stalled
    /// The server closes all its connections.
    case serverClosed
}

/// A response body that is written piece by piece, such as server-sent events.
///
/// Loop-owned.
///
/// All pieces of one loop turn leave in one system call and, with HTTP/1.1, in one chunk: the chunk's size has a fixed
/// width and is written again as the chunk grows, so that a piece costs no framing of its own. The stream ends at once
/// when the client closes its side, also only its sending side: that is how a leaving `EventSource` looks.
package final class HTTPResponseStream {
    /// Hexadecimal digits of a chunk's size; leading zeros are allowed (RFC 9112, section 7.1).
    private static let sizeDigits = 6
    /// A chunk that has grown beyond this is followed by another.
    private static let chunkBytesWanted = 65_536
    /// What still fits the fixed width.
    private static let pieceBytesMax = 1 << (4 * sizeDigits) - 1 - chunkBytesWanted

    private var connection: HTTPConnection?
    private var delegate: (any HTTPResponseStreamDelegate)?
    private let isChunked: Bool
    /// Where the last chunk begins and ends in the output; meaningless once the output was flushed, which shows in its
    /// length, because nothing but this stream appends to it.
    private var chunkStart = 0
    private var chunkEnd = 0

    init(connection: HTTPConnection?, isChunked: Bool, delegate: (any HTTPResponseStreamDelegate)?) {
        self.connection = connection
        self.isChunked = isChunked
        self.delegate = connection == nil ? nil : delegate
    }

    /// True after ``end()``, ``abort()`` or the loss of the connection; writing does nothing then.
    package var isClosed: Bool { connection == nil }

    /// Bytes that the client's side has not taken yet.
    ///
    /// The writer watches it and stops; there is no limit here.
    package var pendingBytes: Int { connection?.stream.pendingBytes ?? 0 }

    /// How long the client's side has acknowledged nothing of what is on its way to it, in milliseconds; grows only where
    /// the client or the network to it is gone, not with one that is slow.
    package var clientSilenceMilliseconds: Int64 { connection?.stream.peerSilenceMilliseconds ?? 0 }

    /// Calls the delegate once when the client's side has taken everything written so far.
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
            precondition(output.count - pieceStart <= Self.pieceBytesMax, "one piece of a stream is below 16 MB")
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

    /// Closes the connection without completing the response, so that the client can tell that something is missing.
    ///
    /// The delegate hears nothing of it.
    package func abort() {
        guard let connection else { return }
        detach()
        connection.stream.close()
    }

    func didDrain() { delegate?.responseStreamDidDrain(self) }

    /// The connection went away.
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

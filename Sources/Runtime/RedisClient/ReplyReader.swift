internal import CHiredis

/// hiredis' parser of replies: takes bytes as they come off the socket, gives whole replies.
package final class ReplyReader {
    /// The parser moves the rest of its buffer forward for each kilobyte that it consumes, so it is fed in small
    /// pieces: the moves stay short.
    private static let pieceBytes = 8192

    private let reader: UnsafeMutablePointer<redisReader>

    package init() {
        guard let reader = redisReaderCreate() else { preconditionFailure("out of memory for a reply reader") }
        self.reader = reader
    }

    deinit { redisReaderFree(reader) }

    /// Parses `bytes` and hands every complete reply to `deliver` until that answers false.
    ///
    /// Returns what is wrong with the bytes, if something is; the reader cannot be used after that.
    package func feed(_ bytes: UnsafeRawBufferPointer, deliver: (RedisReply) -> Bool) -> String? {
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(Self.pieceBytes))
            rest = rest.dropFirst(Self.pieceBytes)
            // Safety: hiredis copies the piece before it returns.
            guard
                redisReaderFeed(reader, piece.baseAddress?.assumingMemoryBound(to: CChar.self), piece.count) == REDIS_OK
            else { return failure }
            while true {
                var object: UnsafeMutableRawPointer?
                guard redisReaderGetReply(reader, &object) == REDIS_OK else { return failure }
                guard let object else { break }
                // Safety: the reader was made with the default functions, so its objects are `redisReply`s, ours to free.
                defer { freeReplyObject(object) }
                guard deliver(RedisReply(object.assumingMemoryBound(to: redisReply.self))) else { return nil }
            }
        }
        return nil
    }

    private var failure: String {
        withUnsafeBytes(of: reader.pointee.errstr) { bytes in String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}

internal import CHiredis

/// The reply parser of hiredis: takes bytes as the socket delivers them, returns whole replies.
package final class ReplyReader {
    /// hiredis moves the rest of its buffer forward for each kilobyte that it consumes; small pieces keep the moves short.
    private static let pieceBytes = 8192

    private let reader: UnsafeMutablePointer<redisReader>

    package init() {
        guard let reader = redisReaderCreate() else { preconditionFailure("out of memory for a reply reader") }
        self.reader = reader
    }

    deinit { redisReaderFree(reader) }

    /// Parses `bytes` and calls `deliver` with every complete reply until it returns false.
    ///
    /// Returns the violation of the protocol, if there is one; the reader cannot be used after that.
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
                // Safety: the reader was made with the default functions, so its objects are `redisReply`s, which this frees.
                defer { freeReplyObject(object) }
                guard deliver(RedisReply(object.assumingMemoryBound(to: redisReply.self))) else { return nil }
            }
        }
        return nil
    }

    private var failure: String {
        withUnsafeBytes(of: reader.pointee.errstr) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}

internal import CHiredis

/// The reply parser of hiredis: takes bytes as the socket delivers them, returns whole replies.
///
/// Safety: `@safe` because the object creates and frees the parser, and hiredis copies every byte that it is fed.
@safe package final class ReplyReader {
    /// hiredis moves the rest of its buffer forward for each kilobyte that it consumes; small pieces keep the moves short.
    private static let pieceBytes = 8192

    private let reader: UnsafeMutablePointer<redisReader>

    package init() {
        guard let reader = unsafe redisReaderCreate() else { preconditionFailure("out of memory for a reply reader") }
        unsafe self.reader = unsafe reader
    }

    deinit { unsafe redisReaderFree(reader) }

    /// Parses `bytes` and calls `deliver` with every complete reply until it returns false.
    ///
    /// Returns the violation of the protocol, if there is one; the reader cannot be used after that.
    package func feed(_ bytes: Span<UInt8>, deliver: (RedisReply) -> Bool) -> String? {
        var start = 0
        while start < bytes.count {
            let end = min(start + Self.pieceBytes, bytes.count)
            // Safety: the buffer does not leave the closure.
            let status = unsafe bytes.extracting(start..<end).withUnsafeBytes { piece in
                unsafe redisReaderFeed(reader, piece.baseAddress?.assumingMemoryBound(to: CChar.self), piece.count)
            }
            guard status == REDIS_OK else { return failure }
            start = end
            while true {
                var object: UnsafeMutableRawPointer?
                guard unsafe redisReaderGetReply(reader, &object) == REDIS_OK else { return failure }
                guard let object = unsafe object else { break }
                // Safety: the reader was created with the default functions, so its objects are `redisReply`s, freed here.
                defer { unsafe freeReplyObject(object) }
                guard unsafe deliver(RedisReply(object.assumingMemoryBound(to: redisReply.self))) else { return nil }
            }
        }
        return nil
    }

    private var failure: String {
        // Safety: the buffer does not leave the closure.
        unsafe withUnsafeBytes(of: reader.pointee.errstr) { text in
            unsafe String(decoding: text.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}

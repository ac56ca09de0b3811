internal import CHiredis

/// A view of a reply in the memory of hiredis: nothing is copied.
///
/// Valid only during the callback that receives it; ``RedisValue/init(_:)`` copies what must outlive the callback.
///
/// Safety: `@safe` because hiredis' reply objects are a tree of valid pointers until `freeReplyObject`, which runs after
/// the callback; a callback must not store the view.
@safe package struct RedisReply {
    private let reply: UnsafePointer<redisReply>

    init(_ reply: UnsafePointer<redisReply>) { unsafe self.reply = unsafe reply }

    package var isNull: Bool { kind == REDIS_REPLY_NIL }

    /// The number, of an integer reply.
    package var integer: Int? { kind == REDIS_REPLY_INTEGER ? unsafe Int(reply.pointee.integer) : nil }

    /// True for string and status replies, which have bytes.
    var hasBytes: Bool { kind == REDIS_REPLY_STRING || kind == REDIS_REPLY_STATUS }

    /// The error, of an error reply.
    package var serverError: RedisServerError? {
        guard kind == REDIS_REPLY_ERROR else { return nil }
        return unsafe RedisServerError(message: String(decoding: bytes, as: UTF8.self))
    }

    /// How many elements an array reply has; 0 for every other kind.
    package var count: Int { kind == REDIS_REPLY_ARRAY ? unsafe Int(reply.pointee.elements) : 0 }

    /// An element of an array reply; `index` is below ``count``.
    package subscript(index: Int) -> RedisReply {
        precondition(index >= 0 && index < count, "the reply has no element at this index")
        guard let element = unsafe reply.pointee.element[index] else {
            preconditionFailure("hiredis omitted an element of a complete reply")
        }
        return unsafe RedisReply(element)
    }

    /// The bytes of a string, status or error reply.
    var bytes: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: reply.pointee.str, count: reply.pointee.len)
    }

    var kind: Int32 { unsafe reply.pointee.type }
}

/// A copy of a reply of Redis (RESP2).
package enum RedisValue: Sendable, Equatable {
    case null
    case integer(Int)
    /// A simple string such as `OK`.
    case status(String)
    case bytes([UInt8])
    case array([RedisValue])
    /// An error inside an array, as EXEC returns; a reply that is an error is a thrown ``RedisError/server(_:)``.
    case error(RedisServerError)

    package init(_ reply: RedisReply) {
        switch reply.kind {
        case REDIS_REPLY_INTEGER: self = .integer(reply.integer ?? 0)
        case REDIS_REPLY_STRING: self = unsafe .bytes([UInt8](reply.bytes))
        case REDIS_REPLY_STATUS: self = unsafe .status(String(decoding: reply.bytes, as: UTF8.self))
        case REDIS_REPLY_ARRAY: self = .array((0..<reply.count).map { RedisValue(reply[$0]) })
        case REDIS_REPLY_ERROR: self = .error(reply.serverError ?? RedisServerError(message: ""))
        default: self = .null
        }
    }

    /// The number, also where Redis sent it as text.
    package var integer: Int? {
        switch self {
        case .integer(let number): number
        case .status, .bytes: string.flatMap { Int($0) }
        case .null, .array, .error: nil
        }
    }

    /// The text; nil when the bytes are not UTF-8.
    package var string: String? {
        switch self {
        case .status(let text): text
        case .bytes(let bytes): String(validating: bytes, as: UTF8.self)
        case .null, .integer, .array, .error: nil
        }
    }

    package var bytes: [UInt8]? {
        switch self {
        case .bytes(let bytes): bytes
        case .status(let text): [UInt8](text.utf8)
        case .null, .integer, .array, .error: nil
        }
    }

    package var array: [RedisValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    package var isNull: Bool { self == .null }
}

/// An argument of a ``RedisCommand`` that is text or bytes, for a list of arguments with both.
package enum RedisData: RedisArgument {
    case text(String)
    case bytes([UInt8])

    package func append(to bytes: inout [UInt8]) {
        switch self {
        case .text(let text): text.append(to: &bytes)
        case .bytes(let data): data.append(to: &bytes)
        }
    }
}

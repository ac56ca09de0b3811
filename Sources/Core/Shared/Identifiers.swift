internal import Text

/// A 128-bit identifier in the text form of RFC 9562: read in upper and lower case, written in lower case.
package protocol UUIDIdentifier: Sendable, Hashable, CustomStringConvertible {
    var bits: UUIDBits { get }
    init(bits: UUIDBits)
}

extension UUIDIdentifier {
    /// Parses exactly the 36-character form, in upper or lower case; nil for anything else.
    package init?(_ text: some StringProtocol) {
        let text = String(text)
        self.init(ascii: text.utf8.span)
    }

    /// Parses the 36 ASCII bytes of that form; nil for anything else.
    package init?(ascii bytes: Span<UInt8>) {
        guard let bits = UUIDBits(ascii: bytes) else { return nil }
        self.init(bits: bits)
    }

    package var description: String { bits.description }
}

/// The id of a request in responses, job, events, record, logs and traces.
///
/// Created by the server.
package struct CorrelationID: UUIDIdentifier {
    package let bits: UUIDBits
    package init(bits: UUIDBits) { self.bits = bits }
}

/// The id of a conversation.
package struct ConversationID: UUIDIdentifier {
    package let bits: UUIDBits
    package init(bits: UUIDBits) { self.bits = bits }
}

/// The id of an archived answer.
package struct ResponseID: UUIDIdentifier {
    package let bits: UUIDBits
    package init(bits: UUIDBits) { self.bits = bits }
}

/// The id of an account: of a person, or of a service that calls with API keys.
package struct AccountID: UUIDIdentifier {
    package let bits: UUIDBits
    package init(bits: UUIDBits) { self.bits = bits }
}

/// The id of a session, which is a family of refresh tokens that begins with a login.
package struct SessionID: UUIDIdentifier {
    package let bits: UUIDBits
    package init(bits: UUIDBits) { self.bits = bits }
}

/// The id of an API key; it is not secret.
package struct APIKeyID: UUIDIdentifier {
    package let bits: UUIDBits
    package init(bits: UUIDBits) { self.bits = bits }
}

/// The 128 bits of a UUID.
package struct UUIDBits: Sendable, Hashable, CustomStringConvertible {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// A version 7 UUID (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then 74 random bits.
    package init(version7At time: Timestamp, random: (UInt64, UInt64)) {
        let milliseconds = UInt64(max(0, time.milliseconds)) & 0xFFFF_FFFF_FFFF
        high = milliseconds << 16 | 0x7000 | (random.0 & 0x0FFF)
        low = 0x8000_0000_0000_0000 | (random.1 & 0x3FFF_FFFF_FFFF_FFFF)
    }

    /// The time of creation of a version 7 UUID.
    package var version7Time: Timestamp { Timestamp(milliseconds: Int64(high >> 16)) }

    /// True for the positions of the four hyphens among the 36 characters.
    private static func isHyphen(_ position: Int) -> Bool {
        position == 8 || position == 13 || position == 18 || position == 23
    }

    init?(ascii text: Span<UInt8>) {
        guard text.count == 36 else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        for position in 0..<36 {
            let byte = text[position]
            if Self.isHyphen(position) {
                guard byte == UInt8(ascii: "-") else { return nil }
                continue
            }
            guard let digit = Hexadecimal.value(ofDigit: byte) else { return nil }
            // The sixteenth digit ends before the hyphen at 18.
            if position < 18 { high = high << 4 | UInt64(digit) } else { low = low << 4 | UInt64(digit) }
        }
        self.init(high: high, low: low)
    }

    /// The 16 bytes, most significant first.
    package var bytes: [UInt8] { [high, low].flatMap { half in (0..<8).map { UInt8(half >> (56 - 8 * $0) & 0xFF) } } }

    /// Parses the 16 bytes of ``bytes``; nil for any other number of bytes.
    package init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 16 else { return nil }
        self.init(
            high: bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) },
            low: bytes.suffix(8).reduce(0) { $0 << 8 | UInt64($1) },
        )
    }

    /// The last 16 bits: ids with the same lane are in the same partition.
    package var lane: UInt16 { UInt16(truncatingIfNeeded: low) }

    package var description: String {
        // On the stack, so that the string is the only allocation.
        var text = InlineArray<36, UInt8>(repeating: UInt8(ascii: "-"))
        var position = 0
        for digit in 0..<32 {
            if Self.isHyphen(position) { position += 1 }
            let half = digit < 16 ? high : low
            let nibble = UInt8(truncatingIfNeeded: half >> UInt64((15 - digit % 16) * 4) & 0xF)
            text[position] = Hexadecimal.digit(nibble)
            position += 1
        }
        guard let utf8 = try? UTF8Span(validating: text.span) else { preconditionFailure("a UUID is not ASCII") }
        return String(copying: utf8)
    }
}

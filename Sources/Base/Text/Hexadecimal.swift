/// Hexadecimal digits: written in lower case, read in either case.
package enum Hexadecimal {
    /// The digit of a value from 0 to 15.
    @inlinable package static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }

    /// The value of one digit, 0…15; nil for any other byte.
    @inlinable package static func value(ofDigit byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        case _: nil
        }
    }

    /// The value of 1 to 16 digits, most significant first; nil for anything else.
    package static func value(of digits: ArraySlice<UInt8>) -> UInt64? {
        guard (1...16).contains(digits.count) else { return nil }
        var value: UInt64 = 0
        for byte in digits {
            guard let digit = Self.value(ofDigit: byte) else { return nil }
            value = value << 4 | UInt64(digit)
        }
        return value
    }

    /// Two digits for each byte.
    package static func text(_ bytes: some Sequence<UInt8>) -> String {
        var digits: [UInt8] = []
        digits.reserveCapacity(2 * bytes.underestimatedCount)
        for byte in bytes {
            digits.append(digit(byte >> 4))
            digits.append(digit(byte & 15))
        }
        return String(decoding: digits, as: UTF8.self)
    }

    /// The 16 digits of 64 bits.
    package static func text(_ bits: UInt64) -> String {
        text((0..<8).lazy.map { UInt8(truncatingIfNeeded: bits >> UInt64(56 - 8 * $0)) })
    }
}

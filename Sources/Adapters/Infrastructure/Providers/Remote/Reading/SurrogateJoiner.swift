/// Joins a character whose halves arrive in two events, from servers that cut text by UTF-16 units.
///
/// ```
///  "\ud83d" ─► JSONReader: U+10F83D ─► held ──"\ude00"──► 😀
///                                        └──anything else, or the end──► U+FFFD
/// ```
/// A `String` cannot hold half of a surrogate pair: until the other half arrives, the half is represented by one of the
/// last 2,048 code points of the private-use plane 16.
struct SurrogateJoiner {
    private static let base: UInt32 = 0x10F800

    /// The first UTF-8 byte of each substitute, which no other character of a normal text has.
    private static let mark: UInt8 = 0xF4

    private var high: UInt16?

    /// The substitute for one half.
    static func scalar(for unit: UInt16) -> Unicode.Scalar {
        Unicode.Scalar(base + UInt32(unit) - 0xD800) ?? "\u{FFFD}"
    }

    /// The character that two halves make.
    static func joined(_ high: UInt16, _ low: UInt16) -> Unicode.Scalar {
        Unicode.Scalar(0x10000 + (UInt32(high & 0x3FF) << 10) + UInt32(low & 0x3FF)) ?? "\u{FFFD}"
    }

    /// The text with all that is complete; half a character at its end is held.
    mutating func join(_ text: String) -> String {
        if high == nil, !text.utf8.contains(Self.mark) { return text }
        var joined = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            let unit = scalar.value >= Self.base ? UInt16(scalar.value - Self.base + 0xD800) : nil
            if let first = high {
                high = nil
                if let unit, unit >= 0xDC00 {
                    joined.append(Self.joined(first, unit))
                    continue
                }
                joined.append("\u{FFFD}")
            }
            switch unit {
            case nil: joined.append(scalar)
            case let unit? where unit < 0xDC00: high = unit
            case _: joined.append("\u{FFFD}")
            }
        }
        return String(joined)
    }

    /// What is held when nothing follows.
    mutating func finish() -> String {
        defer { high = nil }
        return high == nil ? "" : "\u{FFFD}"
    }
}

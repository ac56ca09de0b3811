internal import Text

/// The 128 bits that all spans of a trace share; never all zero.
package struct TraceID: Sendable, Hashable, CustomStringConvertible {
    let high: UInt64
    let low: UInt64

    init?(high: UInt64, low: UInt64) {
        guard high | low != 0 else { return nil }
        self.high = high
        self.low = low
    }

    init(using random: inout some RandomNumberGenerator) {
        high = random.next()
        low = random.next(upperBound: .max) + 1
    }

    /// 32 hexadecimal digits in lower case.
    package var description: String { Hexadecimal.text(high) + Hexadecimal.text(low) }
}

/// The 64 bits of one span; never all zero.
package struct SpanID: Sendable, Hashable, CustomStringConvertible {
    let bits: UInt64

    init?(bits: UInt64) {
        guard bits != 0 else { return nil }
        self.bits = bits
    }

    init(using random: inout some RandomNumberGenerator) { bits = random.next(upperBound: .max) + 1 }

    /// 16 hexadecimal digits in lower case.
    package var description: String { Hexadecimal.text(bits) }
}

/// The position of a span in a trace, as it is propagated between processes: W3C Trace Context, level 2 (Candidate
/// Recommendation of March 2024).
package struct TraceContext: Sendable, Hashable {
    package let traceID: TraceID
    package let spanID: SpanID
    /// True if the process of this span records it.
    package let isSampled: Bool
    /// `tracestate`, which is propagated unchanged.
    package let state: String?

    /// The id of the trace if it is recorded and can therefore be looked up; else nil.
    package var sampledTraceID: String? { isSampled ? traceID.description : nil }

    private static let sampledFlag: UInt8 = 0x01

    init(traceID: TraceID, spanID: SpanID, isSampled: Bool, state: String? = nil) {
        self.traceID = traceID
        self.spanID = spanID
        self.isSampled = isSampled
        self.state = state
    }

    /// Parses the two headers; nil if `traceparent` is malformed, which section 3.2 treats like a missing one.
    ///
    /// For a later version than 00, only the fields of version 00 are parsed. A malformed `tracestate` is dropped alone.
    package init?(traceparent: String, tracestate: String? = nil) {
        let text = Array(traceparent.utf8)
        // Digits are lower case only.
        guard text.count >= 55, !text[..<55].contains(where: { UInt8(ascii: "A")...UInt8(ascii: "F") ~= $0 }),
            text[2] == Self.hyphen, text[35] == Self.hyphen, text[52] == Self.hyphen,
            let version = Hexadecimal.value(of: text[0..<2]), version != 0xFF,
            let high = Hexadecimal.value(of: text[3..<19]), let low = Hexadecimal.value(of: text[19..<35]),
            let span = Hexadecimal.value(of: text[36..<52]), let flags = Hexadecimal.value(of: text[53..<55]),
            let traceID = TraceID(high: high, low: low), let spanID = SpanID(bits: span)
        else { return nil }
        guard text.count == 55 || version > 0 && text[55] == Self.hyphen else { return nil }
        self.init(
            traceID: traceID,
            spanID: spanID,
            isSampled: UInt8(flags) & Self.sampledFlag != 0,
            state: tracestate.flatMap { TraceState.valid($0) },
        )
    }

    /// The header's value: version 00.
    package var traceparent: String { "00-\(traceID)-\(spanID)-\(isSampled ? "01" : "00")" }

    private static let hyphen = UInt8(ascii: "-")
}

/// Validates `tracestate` (W3C Trace Context, section 3.3).
enum TraceState {
    private static let membersMax = 32
    /// Section 3.3.1.5 requires support for 512 bytes; a longer list is dropped as a whole.
    private static let bytesMax = 512

    /// The list without its empty members, or nil if it cannot be propagated.
    static func valid(_ header: String) -> String? {
        guard header.utf8.count <= bytesMax else { return nil }
        let members = header.split(separator: ",").map(\.trimmingBlanks).filter { !$0.isEmpty }
        guard (1...membersMax).contains(members.count) else { return nil }
        var keys: Set<Substring> = []
        for member in members {
            let parts = member.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, isKey(parts[0]), isValue(parts[1]), keys.insert(parts[0]).inserted else {
                return nil
            }
        }
        return members.joined(separator: ",")
    }

    /// 1 to 256 of `a`–`z`, `0`–`9`, `_`, `-`, `*`, `/`, `@`, of which the first is a letter or digit.
    private static func isKey(_ text: Substring) -> Bool {
        guard (1...256).contains(text.utf8.count), let first = text.utf8.first, isLetterOrDigit(first) else {
            return false
        }
        return text.utf8.allSatisfy { isLetterOrDigit($0) || "_-*/@".utf8.contains($0) }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || byte.isDigit
    }

    /// 1 to 256 printable characters of ASCII but `,` and `=`.
    private static func isValue(_ text: Substring) -> Bool {
        (1...256).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                (0x20...0x7E).contains($0) && $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: "=")
            }
    }
}

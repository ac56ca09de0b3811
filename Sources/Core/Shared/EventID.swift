/// The position of an event in the stream of a request: `<attempt>-<sequence>`.
///
/// The same text is the entry's id in Redis, the `id:` line of SSE and `Last-Event-ID`. Within an attempt sequences are
/// dense: `<n>-0` is the marker that begins attempt n, then 1, 2, 3 … Attempt 0 is the time before the first attempt:
/// `0-1` is `queued`, `0-2` an end before the first attempt.
package struct EventID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Both parts are below 2^53, so that JavaScript clients can compute with them.
    private static let limit: UInt64 = 1 << 53

    package let attempt: UInt64
    package let sequence: UInt64

    package init(attempt: UInt64, sequence: UInt64) {
        self.attempt = attempt
        self.sequence = sequence
    }

    /// Parses decimal without sign or leading zeros; nil for anything else.
    package init?(_ text: some StringProtocol) {
        let text = String(text)
        self.init(ascii: text.utf8.span)
    }

    /// Parses decimal without sign or leading zeros; nil for anything else.
    package init?(ascii bytes: Span<UInt8>) {
        var parts: (UInt64, UInt64) = (0, 0)
        var digits = 0
        var inSequence = false
        for position in 0..<bytes.count {
            let byte = bytes[position]
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                let value = inSequence ? parts.1 : parts.0
                if digits > 0, value == 0 { return nil }
                let next = value * 10 + UInt64(byte - UInt8(ascii: "0"))
                guard next < Self.limit else { return nil }
                if inSequence { parts.1 = next } else { parts.0 = next }
                digits += 1
            case UInt8(ascii: "-") where !inSequence && digits > 0:
                inSequence = true
                digits = 0
            default: return nil
            }
        }
        guard inSequence, digits > 0 else { return nil }
        (attempt, sequence) = parts
    }

    /// The first event of each stream.
    package static let queued = EventID(attempt: 0, sequence: 1)

    /// The next event of the same attempt.
    package var next: EventID { EventID(attempt: attempt, sequence: sequence + 1) }

    /// True if no event can exist between `previous` and this event: the next event of its attempt, or the first marker
    /// after `queued`.
    ///
    /// Before a later marker there may be events of the previous attempt that were not delivered.
    package func follows(_ previous: EventID) -> Bool {
        attempt == previous.attempt
            ? sequence == previous.sequence + 1
            : previous == .queued && attempt == 1 && sequence == 0
    }

    package static func < (left: EventID, right: EventID) -> Bool {
        (left.attempt, left.sequence) < (right.attempt, right.sequence)
    }

    package var description: String { "\(attempt)-\(sequence)" }
}

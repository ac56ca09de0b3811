internal import Time

/// A moment in Unix time, in whole milliseconds.
package struct Timestamp: Sendable, Hashable, Comparable, CustomStringConvertible {
    package let milliseconds: Int64

    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    /// The moment that a text in the format of RFC 3339 names; nil for any other text.
    package init?(_ text: String) {
        guard let milliseconds = RFC3339.milliseconds(text) else { return nil }
        self.milliseconds = milliseconds
    }

    package static func < (left: Timestamp, right: Timestamp) -> Bool { left.milliseconds < right.milliseconds }

    /// The moment `time` later, in whole milliseconds.
    package func advanced(by time: Duration) -> Timestamp {
        Timestamp(milliseconds: milliseconds + time.wholeMilliseconds)
    }

    package static func - (later: Timestamp, earlier: Timestamp) -> Duration {
        .milliseconds(later.milliseconds - earlier.milliseconds)
    }

    /// RFC 3339 in UTC with milliseconds, such as `2026-11-21T09:30:00.250Z`.
    package var description: String {
        var text: [UInt8] = []
        CalendarTime(millisecondsSince1970: milliseconds).appendRFC3339(to: &text)
        return String(decoding: text, as: UTF8.self)
    }
}

/// The source of the time of day; tests have their own.
package protocol WallClock: Sendable {
    func now() -> Timestamp
}

/// The source of random numbers; tests have their own.
///
/// Cryptographically secure in production.
package protocol RandomSource: Sendable {
    func next() -> UInt64
}

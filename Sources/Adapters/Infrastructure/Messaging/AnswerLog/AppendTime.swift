internal import Shared
internal import Text

/// A message that is pushed ahead of an event, with the time of its append by the worker's clock: `<id> <microseconds>`.
///
/// A message of its own, because replicas of release 1.0 know only one form of pushed events and ignore every other.
struct AppendTime {
    let id: EventID
    let microseconds: Int64

    init?(pushed payload: Span<UInt8>) {
        guard let space = payload.firstIndex(of: UInt8(ascii: " ")),
            let id = EventID(ascii: payload.extracting(first: space)),
            let microseconds = Int64(ascii: payload.extracting((space + 1)...))
        else { return nil }
        self.id = id
        self.microseconds = microseconds
    }
}

extension Int64 {
    /// A decimal number without a sign; nil for anything else, and for what does not fit.
    init?(ascii digits: Span<UInt8>) {
        guard !digits.isEmpty, digits.count < 19 else { return nil }
        var value: Int64 = 0
        for index in digits.indices {
            let digit = digits[index] &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            value = value * 10 + Int64(digit)
        }
        self = value
    }
}

internal import Shared

/// A message that is pushed ahead of an event, with the time of its append by the worker's clock: `<id> <microseconds>`.
///
/// A message of its own, because replicas of release 1.0 know only one form of pushed events and ignore every other.
struct AppendTime {
    let id: EventID
    let microseconds: Int64

    init?(pushed payload: UnsafeRawBufferPointer) {
        let time: AppendTime? = payload.withMemoryRebound(to: UInt8.self) { bytes in
            guard let space = bytes.firstIndex(of: UInt8(ascii: " ")),
                let id = EventID(ascii: bytes.span.extracting(0..<space)),
                let microseconds = Int64(ascii: bytes.span.extracting((space + 1)..<bytes.count))
            else { return nil }
            return AppendTime(id: id, microseconds: microseconds)
        }
        guard let time else { return nil }
        self = time
    }

    private init(id: EventID, microseconds: Int64) {
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

internal import Domain
internal import RedisClient
internal import Shared

/// An entry of an event stream whose event may be one of a later version: its id counts all the same.
struct EntryHead {
    let id: EventID
    let name: [UInt8]?
    let data: [UInt8]
    /// As ``AnswerEvent/appendedMicroseconds``.
    let appendedMicroseconds: Int64?

    /// Reads an entry of XRANGE: its id, the fields `e` and `d`, and `t`, which only some have; nil for what is no entry.
    init?(_ entry: RedisValue) {
        guard let parts = entry.array, parts.count == 2, let id = parts[0].bytes.flatMap({ EventID(ascii: $0.span) })
        else { return nil }
        let fields = parts[1].array ?? []
        self.id = id
        name = fields.count >= 4 ? fields[1].bytes : nil
        data = fields.count >= 4 ? fields[3].bytes ?? [] : []
        let isTimed = fields.count >= 6 && fields[4].bytes == [UInt8(ascii: "t")]
        appendedMicroseconds = isTimed ? fields[5].bytes.flatMap { Int64(ascii: $0.span) } : nil
    }
}

/// An event as Redis holds it and as it is pushed.
struct StoredEvent {
    let id: EventID
    let name: AnswerEventName
    let data: [UInt8]
    var appendedMicroseconds: Int64?

    /// Reads an entry of XRANGE: its id and the fields `e`, `d` and `t`.
    ///
    /// Nil for an entry of another version.
    init?(_ entry: RedisValue) {
        guard let head = EntryHead(entry) else { return nil }
        self.init(head)
    }

    /// Nil for an event of another version.
    init?(_ head: EntryHead) {
        guard let name = head.name.flatMap({ AnswerEventName(ascii: $0.span) }) else { return nil }
        id = head.id
        self.name = name
        data = head.data
        appendedMicroseconds = head.appendedMicroseconds
    }

    /// Reads a pushed message: `<id> <name> <data>`.
    init?(pushed payload: UnsafeRawBufferPointer) {
        let stored: StoredEvent? = payload.withMemoryRebound(to: UInt8.self) { bytes in
            guard let first = bytes.firstIndex(of: UInt8(ascii: " ")),
                let second = bytes[(first + 1)...].firstIndex(of: UInt8(ascii: " ")),
                let id = EventID(ascii: bytes.span.extracting(0..<first)),
                let name = AnswerEventName(ascii: bytes.span.extracting((first + 1)..<second))
            else { return nil }
            return StoredEvent(id: id, name: name, data: Array(bytes[(second + 1)...]))
        }
        guard let stored else { return nil }
        self = stored
    }

    private init(id: EventID, name: AnswerEventName, data: [UInt8]) {
        self.id = id
        self.name = name
        self.data = data
    }

    var event: AnswerEvent {
        AnswerEvent(id: id, name: name, data: data, appendedMicroseconds: appendedMicroseconds)
    }
}

/// A pushed message that goes ahead of an event and tells when its worker appended it: `<id> <microseconds>`.
///
/// A message of its own, because replicas of before know only one form of pushed events and leave out what has another.
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
    fileprivate init?(ascii digits: Span<UInt8>) {
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

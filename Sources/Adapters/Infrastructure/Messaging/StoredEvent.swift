internal import Domain
internal import RedisClient
internal import Shared

/// An event as Redis holds it and as it is pushed.
struct StoredEvent {
    let id: EventID
    let name: AnswerEventName
    let data: [UInt8]

    /// Reads an entry of XRANGE: its id and the fields `e` and `d`. Nil for an entry of another version.
    init?(_ entry: RedisValue) {
        guard let parts = entry.array, parts.count == 2,
            let id = parts[0].bytes.flatMap({ EventID(ascii: $0) }),
            let fields = parts[1].array, fields.count >= 4,
            let name = fields[1].bytes.flatMap({ AnswerEventName(ascii: $0) }),
            let data = fields[3].bytes
        else { return nil }
        self.id = id
        self.name = name
        self.data = data
    }

    /// Reads a pushed message: `<id> <name> <data>`.
    init?(pushed payload: UnsafeRawBufferPointer) {
        guard let first = payload.firstIndex(of: UInt8(ascii: " ")),
            let id = EventID(ascii: payload[..<first]),
            let second = payload[(first + 1)...].firstIndex(of: UInt8(ascii: " ")),
            let name = AnswerEventName(ascii: payload[(first + 1)..<second])
        else { return nil }
        self.id = id
        self.name = name
        data = Array(payload[(second + 1)...])
    }

    var event: AnswerEvent { AnswerEvent(id: id, name: name, data: data) }
}

internal import Domain
internal import RedisClient
internal import Shared

/// An entry of an event stream whose event may be one of a later version: its id counts all the same.
struct EntryHead {
    let id: EventID
    let name: [UInt8]?
    let data: [UInt8]

    /// Reads an entry of XRANGE: its id and the fields `e` and `d`; nil for what is no entry.
    init?(_ entry: RedisValue) {
        guard let parts = entry.array, parts.count == 2, let id = parts[0].bytes.flatMap({ EventID(ascii: $0.span) })
        else { return nil }
        let fields = parts[1].array ?? []
        self.id = id
        name = fields.count >= 4 ? fields[1].bytes : nil
        data = fields.count >= 4 ? fields[3].bytes ?? [] : []
    }
}

/// An event as Redis holds it and as it is pushed.
struct StoredEvent {
    let id: EventID
    let name: AnswerEventName
    let data: [UInt8]

    /// Reads an entry of XRANGE: its id and the fields `e` and `d`.
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

    var event: AnswerEvent { AnswerEvent(id: id, name: name, data: data) }
}

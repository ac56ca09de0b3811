internal import Domain
internal import RedisClient
internal import Shared
internal import Text

/// An entry of an event stream.
///
/// Its event may be of a later version; its id counts all the same.
struct EntryHead {
    let id: EventID
    let name: [UInt8]?
    let data: [UInt8]
    /// As ``AnswerEvent/appendedMicroseconds``.
    let appendedMicroseconds: Int64?

    init(id: EventID, name: [UInt8]?, data: [UInt8], appendedMicroseconds: Int64?) {
        self.id = id
        self.name = name
        self.data = data
        self.appendedMicroseconds = appendedMicroseconds
    }

    /// Reads an entry of XRANGE: its id, the fields `e` and `d`, and `t`, which only some have; nil for another reply.
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
    ///
    /// The time of the append is left out of an event of the past: it says nothing about its delivery.
    init?(_ head: EntryHead, isLive: Bool = true) {
        guard let name = head.name.flatMap({ AnswerEventName(ascii: $0.span) }) else { return nil }
        id = head.id
        self.name = name
        data = head.data
        appendedMicroseconds = isLive ? head.appendedMicroseconds : nil
    }

    /// Reads a pushed message: `<id> <name> <data>`.
    init?(pushed payload: Span<UInt8>) {
        guard let first = payload.firstIndex(of: UInt8(ascii: " ")) else { return nil }
        let rest = payload.extracting((first + 1)...)
        guard let second = rest.firstIndex(of: UInt8(ascii: " ")),
            let id = EventID(ascii: payload.extracting(first: first)),
            let name = AnswerEventName(ascii: rest.extracting(first: second))
        else { return nil }
        self.init(id: id, name: name, data: Array(copying: rest.extracting((second + 1)...)))
    }

    init(id: EventID, name: AnswerEventName, data: [UInt8]) {
        self.id = id
        self.name = name
        self.data = data
    }

    var event: AnswerEvent {
        AnswerEvent(id: id, name: name, data: data, appendedMicroseconds: appendedMicroseconds)
    }
}

/// One event as a client sees it (WHATWG HTML, section 9.2.6).
package struct ServerSentEvent: Sendable, Hashable {
    /// The `event` field; `message` when the event names no type.
    package let type: String
    /// The `data` lines, joined with line feeds.
    package let data: String
    /// The `id` field of this very event; nil when it has none.
    ///
    /// What a reconnect sends is ``ServerSentEventDecoder/lastEventID`` instead.
    package let id: String?

    /// Makes an event.
    package init(type: String = "message", data: String, id: String? = nil) {
        self.type = type
        self.data = data
        self.id = id
    }
}

/// How much of a stream a decoder is ready to hold.
package struct ServerSentEventLimits: Sendable, Hashable {
    /// Of one line without its end.
    package var lineBytesMax: Int
    /// Of the data of one event.
    package var dataBytesMax: Int

    /// By default 1 MiB a line and 4 MiB an event.
    package init(lineBytesMax: Int = 1 << 20, dataBytesMax: Int = 4 << 20) {
        self.lineBytesMax = lineBytesMax
        self.dataBytesMax = dataBytesMax
    }
}

/// Why a stream cannot be read on; the decoder is of no use afterwards.
package enum ServerSentEventError: Error, Sendable, Hashable, CustomStringConvertible {
    /// A line is longer than the limit.
    case lineTooLong
    /// An event's data is longer than the limit.
    case eventTooLarge

    /// In words.
    package var description: String {
        switch self {
        case .lineTooLong: "a line of the event stream is too long"
        case .eventTooLarge: "an event of the event stream is too large"
        }
    }
}

/// One server-sent event (WHATWG HTML, section 9.2.6).
package struct ServerSentEvent: Sendable, Hashable {
    /// The `event` field; `message` for an event without a type.
    package let type: String
    /// The `data` lines, joined with line feeds.
    package let data: String
    /// The `id` field of this event; nil without one.
    ///
    /// A reconnect sends ``ServerSentEventDecoder/lastEventID`` instead.
    package let id: String?

    /// Makes an event.
    package init(type: String = "message", data: String, id: String? = nil) {
        self.type = type
        self.data = data
        self.id = id
    }
}

/// Limits on the memory of a decoder.
package struct ServerSentEventLimits: Sendable, Hashable {
    /// Maximum length of one line without its end.
    package var lineBytesMax: Int
    /// Maximum length of the data of one event.
    package var dataBytesMax: Int

    /// By default 1 MiB per line and 4 MiB per event.
    package init(lineBytesMax: Int = 1 << 20, dataBytesMax: Int = 4 << 20) {
        self.lineBytesMax = lineBytesMax
        self.dataBytesMax = dataBytesMax
    }
}

/// Why decoding failed; the decoder must not be used afterwards.
package enum ServerSentEventError: Error, Sendable, Hashable, CustomStringConvertible {
    /// A line is longer than the limit.
    case lineTooLong
    /// An event's data is longer than the limit.
    case eventTooLarge

    /// One line.
    package var description: String {
        switch self {
        case .lineTooLong: "a line of the event stream is too long"
        case .eventTooLarge: "an event of the event stream is too large"
        }
    }
}

package import Shared

/// The events of a request's stream, by their name on the wire.
package enum AnswerEventName: String, Sendable, CaseIterable {
    case queued
    case started
    case token
    case reasoning
    case restarted
    case reset
    case completed
    case failed
    case cancelled

    /// True for the event that ends a request.
    package var isTerminal: Bool {
        switch self {
        case .completed, .failed, .cancelled: true
        case .queued, .started, .token, .reasoning, .restarted, .reset: false
        }
    }

    /// Parses ASCII bytes; nil for a name of another release.
    package init?(ascii bytes: Span<UInt8>) {
        // Most events are tokens, which the length and two letters identify.
        if bytes.count == 5, bytes[0] == UInt8(ascii: "t"), bytes[4] == UInt8(ascii: "n") {
            self = .token
            return
        }
        guard let text = try? UTF8Span(validating: bytes) else { return nil }
        self.init(rawValue: String(copying: text))
    }
}

/// One event as it is stored and delivered.
///
/// `data` is one line of JSON.
package struct AnswerEvent: Sendable {
    /// Nil for events that are delivered but not stored: `reset` and a changed queue position.
    package let id: EventID?
    package let name: AnswerEventName
    package let data: [UInt8]
    /// The time of its append in microseconds since 1970, by the worker's clock; only in a sample of the pushed events.
    package let appendedMicroseconds: Int64?

    package init(id: EventID?, name: AnswerEventName, data: [UInt8], appendedMicroseconds: Int64? = nil) {
        self.id = id
        self.name = name
        self.data = data
        self.appendedMicroseconds = appendedMicroseconds
    }
}

/// The end of a request, as its terminal event reports it.
package enum AnswerOutcome: Sendable {
    case completed(FinishReason)
    case failed(RequestFailure)
    case cancelled(CancelReason)

    package var status: RequestStatus {
        switch self {
        case .completed: .completed
        case .failed: .failed
        case .cancelled: .cancelled
        }
    }

    package var eventName: AnswerEventName {
        switch self {
        case .completed: .completed
        case .failed: .failed
        case .cancelled: .cancelled
        }
    }
}

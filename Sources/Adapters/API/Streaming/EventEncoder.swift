internal import Domain

/// Makes the frames of one transport out of the events of one request.
///
/// A value without I/O, fed with the events in order. A frame is spliced: an event's stored JSON, or
/// ``AnswerEvent/escapedText`` of a text event, between constant bytes. No encoder parses JSON for a token.
protocol EventEncoder {
    /// Bytes that a frame adds to the data of its event, at most.
    static var frameBytesMax: Int { get }
    /// Appends the beginning of a stream.
    mutating func begin(into output: inout [UInt8])
    /// Appends the frame of the next event; nothing where the transport does not show the event.
    mutating func encode(_ event: AnswerEvent, into output: inout [UInt8])
    /// Appends what keeps a silent stream open.
    func heartbeat(into output: inout [UInt8])
    /// Appends the end of a stream; no call follows.
    mutating func end(_ closure: StreamClosure, into output: inout [UInt8])
}

/// Why the server ends a stream.
enum StreamClosure: Equatable {
    /// The terminal event was written.
    case terminal
    /// The stored events are gone.
    case gone
    /// The replica drains or cannot read the events; the client reconnects after this time.
    case interrupted(retryMilliseconds: Int)
}

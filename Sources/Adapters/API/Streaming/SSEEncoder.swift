internal import Domain
internal import Shared

/// Encodes events as server-sent events (WHATWG HTML, section 9.2).
///
/// A blank line ends an event and nothing else: `retry:` lines and heartbeats are part of the next event's block, since
/// some clients report an event for every block, also for a block without data. A client reads `retry:` line by line, so
/// that it also counts at the end of the response.
struct SSEEncoder: EventEncoder {
    /// Id, name and line ends.
    static let frameBytesMax = 96

    func begin(into output: inout [UInt8]) { output.append(contentsOf: "retry: 2000\n".utf8) }

    func encode(_ event: AnswerEvent, into output: inout [UInt8]) {
        if let id = event.id {
            output.append(contentsOf: "id: ".utf8)
            output.append(decimal: id.attempt)
            output.append(UInt8(ascii: "-"))
            output.append(decimal: id.sequence)
            output.append(UInt8(ascii: "\n"))
        }
        output.append(contentsOf: "event: ".utf8)
        output.append(contentsOf: event.name.rawValue.utf8)
        output.append(contentsOf: "\ndata: ".utf8)
        output.append(contentsOf: event.data)
        output.append(UInt8(ascii: "\n"))
        output.append(UInt8(ascii: "\n"))
    }

    func heartbeat(into output: inout [UInt8]) { output.append(contentsOf: ": heartbeat\n".utf8) }

    func end(_ closure: StreamClosure, into output: inout [UInt8]) {
        switch closure {
        case .terminal, .gone: break
        case .interrupted(let milliseconds): output.append(contentsOf: "retry: \(milliseconds)\n".utf8)
        }
    }
}

extension [UInt8] {
    /// Appends a number's decimal digits without making a string.
    fileprivate mutating func append(decimal number: UInt64) {
        if number >= 10 { append(decimal: number / 10) }
        append(UInt8(ascii: "0") + UInt8(number % 10))
    }
}

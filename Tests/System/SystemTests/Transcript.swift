import FoundationEssentials
import TestSupport

/// The events of a request that one viewer has received, over all its connections.
struct Transcript: Sendable {
    private(set) var events: [EventStreamClient.Event] = []
    /// The answer's text: that of the newest attempt.
    private(set) var text = ""
    /// Descriptions of violated rules of the ids; empty without any.
    private(set) var faults: [String] = []
    private var last: (attempt: Int, sequence: Int)?

    var lastID: String? { last.map { "\($0.attempt)-\($0.sequence)" } }
    var names: [String] { events.map(\.name) }
    /// Names in order, each run of the same name once.
    var story: [String] { names.reduce(into: []) { if $0.last != $1 { $0.append($1) } } }
    var terminal: EventStreamClient.Event? { events.last.flatMap { Self.terminalNames.contains($0.name) ? $0 : nil } }

    private static let terminalNames: Set = ["completed", "failed", "cancelled"]

    private struct TextData: Decodable {
        let text: String
    }

    /// Reads every event to the end of the response, which must be that of the request.
    mutating func read(_ stream: EventStreamClient) throws {
        while let event = try stream.next() { try receive(event) }
        if terminal == nil {
            faults.append("status \(stream.status) ended after \(lastID ?? "nothing"): \(stream.body)")
        }
    }

    /// Reads events until `enough` returns true; false when the response ends before.
    @discardableResult
    mutating func read(_ stream: EventStreamClient, until enough: (Transcript) -> Bool) throws -> Bool {
        while !enough(self) {
            guard let event = try stream.next() else { return false }
            try receive(event)
        }
        return true
    }

    mutating func receive(_ event: EventStreamClient.Event) throws {
        if terminal != nil { faults.append("\(event.name) after the end") }
        if let id = event.id { check(id, event.name) }
        events.append(event)
        switch event.name {
        case "restarted", "reset": text = ""
        case "token": text += try decode(TextData.self, event).text
        case _: break
        }
    }

    /// Adds a violation.
    mutating func note(_ fault: String) { faults.append(fault) }

    /// Ids only grow, and are dense within an attempt.
    private mutating func check(_ id: String, _ name: String) {
        let parts = id.split(separator: "-").compactMap { Int($0) }
        guard parts.count == 2, id == "\(parts[0])-\(parts[1])" else {
            faults.append("\(id) is no id")
            return
        }
        let next = (attempt: parts[0], sequence: parts[1])
        if let last {
            let follows =
                next.attempt == last.attempt
                ? next.sequence == last.sequence + 1 : next.attempt == last.attempt + 1 && next.sequence == 0
            if !follows { faults.append("\(name) \(id) after \(last.attempt)-\(last.sequence)") }
        } else if id != "0-1" {
            faults.append("the first id is \(id)")
        }
        last = next
    }

    func decode<Value: Decodable>(_ type: Value.Type, _ event: EventStreamClient.Event) throws -> Value {
        try JSONDecoder().decode(type, from: Data(event.data.utf8))
    }

    /// A member of the data of the first event of that name.
    func data<Value: Decodable>(_ type: Value.Type, of name: String) throws -> Value? {
        try events.first { $0.name == name }.map { try decode(type, $0) }
    }
}

/// A provider's exact answer in the mode `echo`: the problem's words, each with a space, over and over.
func echo(_ problem: String, tokens: Int? = nil) -> String {
    let words = problem.split(separator: " ").map { "\($0) " }
    return (0..<(tokens ?? words.count)).map { words[$0 % words.count] }.joined()
}

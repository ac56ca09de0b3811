internal import Console
internal import ServerSentEvents
internal import Shared

/// Shows the events of one request: the answer on standard output, everything else on standard error.
struct AnswerPrinter {
    let asJSON: Bool
    private let notes: Notes
    /// The last printed position, so that it is printed once.
    private var ahead = 0
    /// True if the answer has an unfinished line on the screen.
    private var lineIsOpen = false
    private var isThinking = false

    init(asJSON: Bool, notes: Notes) {
        self.asJSON = asJSON
        self.notes = notes
    }

    /// Shows one event; returns how the program ends when it is a terminal one.
    mutating func show(_ event: ServerSentEvent) throws(OutputError) -> ExitCode? {
        if asJSON { try Output.standard.write(Self.line(event)) }
        switch event.type {
        case "queued": showPosition(event)
        case "token": try showToken(event)
        case "reasoning":
            if !isThinking { note("thinking") }
            isThinking = true
        case "restarted":
            let reason = Reply.decode(Reply.Restarted.self, event.data.utf8)?.reason
            try beginAnew("started again, \(Self.words(reason))")
        case "reset": try beginAnew("the server lost the stream's history")
        case "completed":
            try endLine()
            showEnd(event)
            return .success
        case "failed":
            try endLine()
            let words = Reply.decode(Reply.Problem.self, event.data.utf8)?.words ?? ""
            notes.complain(words.isEmpty ? "the request failed" : words)
            return .failure
        case "cancelled":
            try endLine()
            let reason = Reply.decode(Reply.Cancelled.self, event.data.utf8)?.reason
            notes.complain("cancelled, \(Self.words(reason))")
            return .failure
        // New kinds of events may come with a newer server.
        case _: break
        }
        return nil
    }

    /// Ends an unfinished line of text, so that the next output has a line of its own.
    mutating func endLine() throws(OutputError) {
        guard lineIsOpen else { return }
        lineIsOpen = false
        try Output.standard.write("\n")
    }

    private mutating func showToken(_ event: ServerSentEvent) throws(OutputError) {
        guard !asJSON, let text = Reply.decode(Reply.Text.self, event.data.utf8)?.text, !text.isEmpty else { return }
        lineIsOpen = text.utf8.last != UInt8(ascii: "\n")
        try Output.standard.write(Output.standard.isTerminal ? printable(text) : text)
    }

    private mutating func showPosition(_ event: ServerSentEvent) {
        guard let position = Reply.decode(Reply.Queued.self, event.data.utf8)?.position, position - 1 != ahead else {
            return
        }
        ahead = max(0, position - 1)
        note(ahead == 0 ? "waiting, you are next" : "waiting, \(ahead) ahead of you")
    }

    private mutating func beginAnew(_ reason: String) throws(OutputError) {
        try endLine()
        isThinking = false
        note("\(reason); the text begins anew")
    }

    private func showEnd(_ event: ServerSentEvent) {
        guard let end = Reply.decode(Reply.Completed.self, event.data.utf8) else { return }
        switch end.finishReason {
        case "length": note("the answer was cut at the length limit")
        case "content_filter": note("the provider's content filter cut the answer")
        case _: break
        }
        guard Output.error.isTerminal else { return }
        let tokens = end.usage?.outputTokens.map { "\($0) tokens" }
        let time = end.durationMs.map { "\($0) ms" }
        note([end.provider, tokens, time].compactMap { $0 }.joined(separator: ", "))
    }

    private func note(_ text: String) { if !asJSON { notes.tell(text) } }

    /// A reason of the contract in words.
    private static func words(_ reason: String?) -> String {
        switch reason {
        case "worker_lost": "the worker was lost"
        case "handed_over": "the worker had to leave"
        case "provider_failed": "the provider failed"
        case "history_lost": "the stream's history was lost"
        case "requested": "as requested"
        case "disconnected": "because nobody was watching"
        case "interrupted": "by another request of the conversation"
        case "conversation_deleted": "because its conversation was deleted"
        case let reason?: reason
        case nil: "for an unknown reason"
        }
    }

    /// Ends the lines of JSON with a `failed` event that no server sent: its data are the server's problem document, or
    /// the failure's words in the form of one.
    func showFailure(_ failure: AskFailure) throws(OutputError) {
        let data =
            failure.problem
            ?? JSONWriter.object { writer in
                writer.member("title", "There is no answer")
                writer.member("detail", failure.words)
            }
        try Output.standard.write(Self.line("failed", id: nil, data))
    }

    /// Ends the lines of JSON of an aborted request whose terminal event did not come.
    func showCancelled() throws(OutputError) {
        try Output.standard.write(Self.line("cancelled", id: nil, Array(#"{"reason":"requested"}"#.utf8)))
    }

    /// The event as one line of JSON.
    static func line(_ event: ServerSentEvent) -> [UInt8] { line(event.type, id: event.id, Array(event.data.utf8)) }

    private static func line(_ type: String, id: String?, _ data: [UInt8]) -> [UInt8] {
        // A line break is white space in JSON: within a string it would be escaped.
        let data = data.map { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") ? UInt8(ascii: " ") : $0 }
        return JSONWriter.object { writer in
            writer.member("event", type)
            writer.member("id", id)
            writer.member("data", json: data)
        } + [UInt8(ascii: "\n")]
    }
}

/// Writes notes to standard error, dimmed on a terminal that has not asked for no colours.
struct Notes: Sendable {
    private let isDimmed: Bool

    init(environment: [String: String]) {
        let wantsNone = environment["NO_COLOR"].map { !$0.isEmpty } ?? false
        isDimmed = Output.error.isTerminal && !wantsNone && environment["TERM"] != "dumb"
    }

    /// Something a person may like to know.
    func tell(_ text: String) {
        let text = printable(text)
        Output.error.note(isDimmed ? "\u{1B}[2m\(text)\u{1B}[0m\n" : "\(text)\n")
    }

    /// How to ask a further question that knows this one; only a person at a terminal wants to know.
    func tellHow(toContinue conversation: String) {
        if Output.error.isTerminal { tell("to go on: \(Program.name) ask --conversation \(conversation) …") }
    }

    /// What went wrong.
    func complain(_ text: String) { Output.error.note("\(Program.name): \(printable(text))\n") }
}

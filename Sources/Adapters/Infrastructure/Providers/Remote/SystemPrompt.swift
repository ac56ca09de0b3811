internal import Application
internal import Domain

/// The system prompt of every remote provider: the file `math-prompt.md`.
///
/// Its first line names the version, which is stored with each answer; the text follows after an empty line. A change
/// of the text needs a new version; a test compares the two.
struct SystemPrompt: Sendable {
    static let math = SystemPrompt(String(decoding: PackageResources.math_prompt_md, as: UTF8.self))

    /// Replaces the turns that were left out.
    private static let omission = """
        The conversation is longer: its earlier turns were left out here. If the problem refers to something that you \
        cannot see, say so and ask for it.
        """

    let version: String
    private let text: String

    init(_ file: String) {
        let parts = file.split(separator: "\n", maxSplits: 1)
        version = parts[0].split(separator: " ").last.map(String.init) ?? ""
        text = parts.last.map(String.init)?.trimmingNewlines() ?? ""
    }

    /// The text for one conversation.
    func text(for context: ConversationContext) -> String {
        context.omitsEarlierTurns ? "\(text)\n\n\(Self.omission)" : text
    }
}

/// The speaker of a turn.
enum Speaker {
    case student
    case teacher
}

extension ProviderRequest {
    /// Replaces a missing answer: some providers reject an empty text, or two of the same speaker in a row.
    private static let noAnswer = "(no answer)"
    /// Follows an answer without an end, which would pass for a whole one.
    private static let brokenOff = "(This answer broke off here and may be wrong.)"

    /// The turns of the conversation and the problem, in order.
    var turns: [(speaker: Speaker, text: String)] {
        context.turns.flatMap { turn in
            [(.student, turn.problem), (.teacher, Self.text(of: turn))]
        } + [(.student, problem.text)]
    }

    /// The same, with `prompt` before the first of them, for a provider that takes no instructions in a place of their own.
    func turns(beginningWith prompt: String?) -> [(speaker: Speaker, text: String)] {
        var turns = turns
        if let prompt { turns[0].text = "\(prompt)\n\n\(turns[0].text)" }
        return turns
    }

    private static func text(of turn: ConversationTurn) -> String {
        if turn.answer.isEmpty { return noAnswer }
        return turn.isPartial ? "\(turn.answer)\n\n\(brokenOff)" : turn.answer
    }
}

extension String {
    fileprivate func trimmingNewlines() -> String {
        var text = self[...]
        while text.first?.isNewline == true { text = text.dropFirst() }
        while text.last?.isNewline == true { text = text.dropLast() }
        return String(text)
    }
}

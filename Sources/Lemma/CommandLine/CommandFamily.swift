internal import Console

/// A command whose first word selects an action, such as `lemma users add`.
struct CommandFamily: Sendable {
    struct Action: Sendable {
        /// Its name is the family's with the action's word.
        let specification: CommandSpecification
        let run: @Sendable (ParsedArguments) async throws -> Void

        /// The word that selects the action.
        var word: String { specification.name.split(separator: " ").last.map(String.init) ?? "" }
    }

    let name: String
    /// One line, for the table of commands.
    let summary: String
    let actions: [Action]
    /// Further paragraphs of the help.
    let details: String

    var command: Command {
        Command(raw: CommandSpecification(name, summary: summary)) { words in
            try await run(words)
            return .success
        }
    }

    private func run(_ words: [String]) async throws {
        if ["--help", "-h"].contains(words.first) { return try Output.standard.write(help) }
        guard let action = actions.first(where: { $0.word == words.first }) else {
            let listed = actions.map(\.word).joined(separator: ", ")
            throw CommandUsageError(
                command: CommandSpecification(name, summary: summary, operands: ["ACTION"]),
                mistake: .notAllowed(name: "the action", value: words.first ?? "", allowed: listed),
            )
        }
        do {
            let arguments = try action.specification.parse(Array(words.dropFirst()))
            if arguments.wantsHelp {
                return try Output.standard.write(action.specification.help(program: Program.name))
            }
            try await action.run(arguments)
        } catch let mistake as UsageError {
            throw CommandUsageError(command: action.specification, mistake: mistake)
        }
    }

    private var help: String {
        let rows = actions.map { action in
            let specification = action.specification
            let options = specification.options.isEmpty ? [] : ["[options]"]
            return ([action.word] + specification.operands + options).joined(separator: " ")
        }
        return """
            usage: \(Program.name) \(name) ACTION

            Actions:
            \(columns(zip(rows, actions).map { ($0, $1.specification.summary) }))
            \(details)
            "\(Program.name) \(name) ACTION --help" prints the options of an action.

            """
    }
}

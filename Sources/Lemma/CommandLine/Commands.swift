internal import Console

/// A command of the program.
struct Command: Sendable {
    let specification: CommandSpecification
    private let body: Body

    private enum Body: Sendable {
        case parsed(@Sendable (ParsedArguments) async throws -> ExitCode)
        case raw(@Sendable ([String]) async throws -> ExitCode)
    }

    /// A command whose words are read by the table's parser.
    init(_ specification: CommandSpecification, _ run: @escaping @Sendable (ParsedArguments) async throws -> ExitCode) {
        self.specification = specification
        body = .parsed(run)
    }

    /// A command that reads its words itself, `--help` too, but not `--version`.
    init(raw specification: CommandSpecification, _ run: @escaping @Sendable ([String]) async throws -> ExitCode) {
        self.specification = specification
        body = .raw(run)
    }

    /// Runs with the words that follow the command's name.
    func run(_ words: [String]) async throws -> ExitCode {
        switch body {
        case .raw(let run):
            guard !words.contains("--version") else {
                try Output.standard.write(Program.versionLine)
                return .success
            }
            return try await run(words)
        case .parsed(let run):
            do {
                let arguments = try specification.parse(words)
                if arguments.wantsHelp {
                    try Output.standard.write(specification.help(program: Program.name))
                } else if arguments.wantsVersion {
                    try Output.standard.write(Program.versionLine)
                } else {
                    return try await run(arguments)
                }
                return .success
            } catch let mistake as UsageError {
                throw CommandUsageError(command: specification, mistake: mistake)
            }
        }
    }
}

/// Wrong usage of a known command.
struct CommandUsageError: Error {
    /// The command's name.
    let command: String
    let mistake: UsageError
    /// One line, or one for each action of the command.
    let usage: String

    init(command: CommandSpecification, mistake: UsageError) {
        self.init(command: command, mistake: mistake, usage: command.usage(program: Program.name))
    }

    init(command: CommandSpecification, mistake: UsageError, usage: String) {
        self.command = command.name
        self.mistake = mistake
        self.usage = usage
    }
}

/// The table of commands.
enum Commands {
    static let all: [Command] = [
        DevCommand.command,
        APICommand.command,
        WorkerCommand.command,
        MigrateCommand.command,
        AskCommand.command,
        LoginCommand.command,
        LogoutCommand.command,
        bench,
        DeadLettersCommand.command,
        UsersCommand.command,
        KeysCommand.command,
        ConfigCommand.command,
        HealthcheckCommand.command,
    ]

    private static let bench = Command(
        raw: CommandSpecification("bench", summary: "put load on a server and measure what comes back")
    ) { words in ExitCode(rawValue: await BenchCommand.run(words)) ?? .failure }

    static func named(_ name: String) throws(UsageError) -> Command {
        if let command = all.first(where: { $0.specification.name == name }) { return command }
        let options = ["--help", "--version"]
        if name.hasPrefix("-") { throw .unknownOption(name, suggestion: nearest(to: name.lowercased(), in: options)) }
        throw .unknownCommand(name, suggestion: nearest(to: name.lowercased(), in: all.map(\.specification.name)))
    }

    static var help: String {
        """
        usage: \(Program.name) COMMAND [options]

        Commands:
        \(columns(all.map { ($0.specification.name, $0.specification.summary) }))
        Options:
        \(columns([("--help", "print this help, or that of a command"), ("--version", "print the version")]))
        Settings come from the environment and from .env in the working directory; "\(Program.name) config" prints them.
        Exit codes: 0 success, 1 failure at run time, 2 wrong usage or configuration.

        """
    }
}

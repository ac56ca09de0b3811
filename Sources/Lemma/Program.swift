internal import Console
internal import Glibc
internal import Lifecycle

/// The entry of `lemma`: finds the command, runs it, and turns what it throws into a message and an exit code.
@main
enum Program {
    static let name = "lemma"
    /// What `--version` prints.
    static var versionLine: String { "\(name) \(ReplicaDependencies.version)\n" }

    static func main() async {
        // A reader that has gone is an error of one write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        SignalWatcher.ignoreUserSignal()
        exit(await run(Array(CommandLine.arguments.dropFirst())).rawValue)
    }

    private static func run(_ words: [String]) async -> ExitCode {
        do {
            guard let word = words.first else {
                Output.error.note(Commands.help)
                return .usage
            }
            return try await run(word, Array(words.dropFirst()))
        } catch let code as ExitCode {
            return code
        } catch {
            return report(error)
        }
    }

    private static func run(_ word: String, _ rest: [String]) async throws -> ExitCode {
        switch word {
        case "--help", "-h", "help":
            guard let name = rest.first, word == "help" else {
                try Output.standard.write(Commands.help)
                return .success
            }
            return try await Commands.named(name).run(["--help"])
        case "--version":
            try Output.standard.write(versionLine)
            return .success
        case _:
            let command = try Commands.named(word)
            return try await command.run(rest)
        }
    }

    private static func report(_ error: any Error) -> ExitCode {
        switch error {
        case OutputError.readerGone: return .readerGone
        case let error as CommandUsageError:
            Output.error.note("\(name) \(error.command): \(error.mistake)\n\(error.usage)\n")
            return .usage
        case let error as UsageError:
            Output.error.note("\(name): \(error)\nTry \"\(name) --help\".\n")
            return .usage
        case let error as ConfigurationFailure:
            Output.error.note("\(name): \(printable(error.description))\n")
            return .usage
        case let error as CommandFailure:
            Output.error.note("\(name): \(printable(error.description))\n")
            return .failure
        case _:
            Output.error.note("\(name): \(printable(String(describing: error)))\n")
            return .failure
        }
    }
}

internal import Application
internal import Console
internal import Domain
internal import EventLoop
internal import FoundationEssentials
internal import Infrastructure
internal import RedisClient
internal import Settings
internal import Shared

/// `lemma dead-letters`: the jobs that were given up.
enum DeadLettersCommand {
    private static let listMax = 1000

    private static let list = CommandSpecification(
        "dead-letters list",
        summary: "show the jobs that were given up, the oldest first",
        options: [CommandOption(flag: "json", "one JSON object a line")],
    )
    private static let redrive = CommandSpecification(
        "dead-letters redrive",
        summary: "submit a dead letter's problem again; prints the new request's id",
        operands: ["ID"],
    )
    private static let drop = CommandSpecification(
        "dead-letters drop",
        summary: "delete a dead letter for good",
        operands: ["ID"],
    )

    static let command = Command(
        raw: CommandSpecification("dead-letters", summary: "list, redrive or drop the jobs that were given up")
    ) { words in
        switch words.first {
        case "list": try await run(list, words) { arguments, tools in try await show(arguments.has("json"), tools) }
        case "redrive": try await run(redrive, words) { try await redrive($0.operands[0], $1) }
        case "drop": try await run(drop, words) { try await drop($0.operands[0], $1) }
        case "--help", "-h": try Output.standard.write(help)
        case let word:
            let shown = word ?? ""
            let mistake = UsageError.notAllowed(name: "the action", value: shown, allowed: "list, redrive ID, drop ID")
            throw CommandUsageError(command: list, mistake: mistake)
        }
        return .success
    }

    private static var help: String {
        """
        usage: \(Program.name) dead-letters list [--json]
               \(Program.name) dead-letters redrive ID
               \(Program.name) dead-letters drop ID

        Works on the Redis that REDIS_URL names; without it, on that of the lemma dev in this folder.

        """
    }

    /// What the actions work with, on one loop.
    private struct Tools {
        let letters: RedisDeadLetters
        let identifiers: IdentifierFactory
    }

    private static func run(
        _ specification: CommandSpecification,
        _ words: [String],
        _ action: @escaping @Sendable (ParsedArguments, Tools) async throws -> Void
    ) async throws {
        let arguments: ParsedArguments
        do {
            arguments = try specification.parse(Array(words.dropFirst()))
        } catch {
            throw CommandUsageError(command: specification, mistake: error)
        }
        if arguments.wantsHelp { return try Output.standard.write(help) }
        let configuration = try loadConfiguration(.client).configuration
        let redis = try redisURL(configuration)
        try await withLoop { loop in
            let keys = Keyspace(partitions: configuration.jobs.partitions)
            let store = RedisStore(
                try RedisConfiguration(redis, configuration.redis),
                keys: keys,
                retention: Retention(configuration),
                on: loop,
                observer: nil,
            )
            defer { store.close() }
            let letters = RedisDeadLetters(store: store)
            let identifiers = IdentifierFactory(clock: SystemClock(), random: SecureRandomSource())
            try await action(arguments, Tools(letters: letters, identifiers: identifiers))
        }
    }

    private static func redisURL(_ configuration: Configuration) throws -> RedisURL {
        if configuration.redis.url != nil { return try Serving.redis(configuration) }
        guard FileManager.default.fileExists(atPath: PrivateRedis.folder) else {
            throw CommandFailure("REDIS_URL is not set, and no lemma dev has run in this folder")
        }
        return PrivateRedis.url
    }

    // MARK: Actions

    private static func show(_ asJSON: Bool, _ tools: Tools) async throws {
        let handler = ListDeadLettersHandler(letters: tools.letters)
        let letters: [DeadLetter]
        do {
            letters = try await handler.handle(ListDeadLetters(count: listMax))
        } catch {
            throw unavailable
        }
        for letter in letters {
            if asJSON {
                try Output.standard.write(json(letter) + [UInt8(ascii: "\n")])
            } else {
                let request = letter.correlationID?.description ?? "-"
                let detail = printable(letter.lastFailure?.detail ?? "")
                let line =
                    "\(letter.name)  \(letter.buriedAt)  \(letter.reason)  \(letter.attempts)  \(request)  \(detail)\n"
                try Output.standard.write(line)
            }
        }
        if letters.isEmpty { Output.error.note("there are no dead letters\n") }
    }

    private static func json(_ letter: DeadLetter) -> [UInt8] {
        JSONWriter.object { json in
            json.member("id", letter.name.description)
            json.member("buriedAt", letter.buriedAt.description)
            json.member("reason", letter.reason)
            json.member("correlationId", letter.correlationID?.description)
            json.member("attempts", letter.attempts)
            json.member("error", letter.lastFailure?.kind.rawValue)
            json.member("detail", letter.lastFailure?.detail)
            json.member("origin", letter.origin)
            json.member("redriveOf", letter.redriveOf?.description)
        }
    }

    private static func redrive(_ text: String, _ tools: Tools) async throws {
        let letter = try name(text, redrive)
        let handler = RedriveDeadLetterHandler(letters: tools.letters, identifiers: tools.identifiers)
        do {
            let id = try await handler.handle(RedriveDeadLetter(letter: letter))
            try Output.standard.write("\(id)\n")
        } catch let failure as RedriveDeadLetter.Failure {
            switch failure {
            case .unknown: throw CommandFailure("there is no dead letter \(text); was it redriven already?")
            case .unreadable: throw CommandFailure("\(text) is an entry that nobody could read; it can only be dropped")
            case .conversationDeleted:
                throw CommandFailure("the conversation of \(text) was deleted by its user; it can only be dropped")
            case .unavailable: throw unavailable
            }
        }
    }

    private static func drop(_ text: String, _ tools: Tools) async throws {
        let letter = try name(text, drop)
        do throws(DropDeadLetter.Failure) {
            try await DropDeadLetterHandler(letters: tools.letters).handle(DropDeadLetter(letter: letter))
        } catch {
            switch error {
            case .unknown: throw CommandFailure("there is no dead letter \(text)")
            case .unavailable: throw unavailable
            }
        }
    }

    private static var unavailable: CommandFailure { CommandFailure("Redis cannot be reached or written") }

    private static func name(_ text: String, _ command: CommandSpecification) throws -> DeadLetterName {
        if let name = DeadLetterName(text) { return name }
        let allowed = "an id as dead-letters list prints it"
        throw CommandUsageError(command: command, mistake: .notAllowed(name: "ID", value: text, allowed: allowed))
    }
}

internal import Console
internal import EventLoop
internal import FoundationEssentials
internal import Infrastructure
internal import LemmaSettings
internal import RedisClient
internal import Settings
internal import Shared

/// `lemma dead-letters`: jobs without further attempts, and records that PostgreSQL refused.
enum DeadLettersCommand {
    /// What an action does to the kind of letters that it is asked for.
    protocol Actions {
        func list(asJSON: Bool) async throws
        func show(_ id: String, asJSON: Bool) async throws
        func redrive(_ id: String) async throws
        func drop(_ id: String) async throws
    }

    private static let records = CommandOption(
        flag: "records",
        "the records that PostgreSQL refused, instead of the jobs"
    )

    private static let list = CommandSpecification(
        "dead-letters list",
        summary: "show the jobs without further attempts, the oldest first",
        options: [records, CommandOption(flag: "json", "one JSON object a line")],
    )
    private static let show = CommandSpecification(
        "dead-letters show",
        summary: "show everything that is kept of a dead letter, problem and answer included",
        operands: ["ID"],
        options: [records, CommandOption(flag: "json", "as one JSON object")],
    )
    private static let redrive = CommandSpecification(
        "dead-letters redrive",
        summary:
            "submit a dead letter's problem again and print the new request's id; give a record to PostgreSQL again",
        operands: ["ID"],
        options: [records],
    )
    private static let drop = CommandSpecification(
        "dead-letters drop",
        summary: "delete a dead letter for good",
        operands: ["ID"],
        options: [records],
    )

    private static let all = CommandSpecification(
        "dead-letters",
        summary: "list, show, redrive or drop jobs without further attempts, and records that PostgreSQL refused",
    )

    static let command = Command(raw: all) { words in
        switch words.first {
        case "list": try await run(list, words) { try await $1.list(asJSON: $0.has("json")) }
        case "show": try await run(show, words) { try await $1.show($0.operands[0], asJSON: $0.has("json")) }
        case "redrive": try await run(redrive, words) { try await $1.redrive($0.operands[0]) }
        case "drop": try await run(drop, words) { try await $1.drop($0.operands[0]) }
        case "--help", "-h": try Output.standard.write(help)
        case let word?:
            let mistake = UsageError.notAllowed(name: "the action", value: word, allowed: actions)
            throw CommandUsageError(command: all, mistake: mistake, usage: usage)
        case nil:
            throw CommandUsageError(command: all, mistake: .missingAction(actions: actions), usage: usage)
        }
        return .success
    }

    private static let actions = "list, show ID, redrive ID, drop ID"

    private static let usage = """
        usage: \(Program.name) dead-letters list [--records] [--json]
               \(Program.name) dead-letters show ID [--records] [--json]
               \(Program.name) dead-letters redrive ID [--records]
               \(Program.name) dead-letters drop ID [--records]
        """

    private static var help: String {
        """
        \(usage)

        Without --records, the jobs without further attempts: redrive submits the problem again, as a new request.
        With --records, the records that PostgreSQL rejected or that cannot be decoded: redrive gives one to PostgreSQL
        again, once the cause is fixed.
        Works on the Redis that REDIS_URL names; without it, on that of the lemma dev in this folder.

        """
    }

    private static func run(
        _ specification: CommandSpecification,
        _ words: [String],
        _ action: @escaping @Sendable (ParsedArguments, any Actions) async throws -> Void
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
                connection: nil,
            )
            defer { store.close() }
            if arguments.has("records") {
                try await action(arguments, DeadRecordActions(records: RedisDeadRecords(store: store)))
            } else {
                try await action(arguments, DeadJobActions(letters: RedisDeadLetters(store: store)))
            }
        }
    }

    private static func redisURL(_ configuration: Configuration) throws -> RedisURL {
        if configuration.redis.url != nil { return try Serving.redis(configuration) }
        guard FileManager.default.fileExists(atPath: PrivateRedis.folder) else {
            throw CommandFailure("REDIS_URL is not set, and no lemma dev has run in this folder")
        }
        return PrivateRedis.url
    }
}

internal import Console
internal import Domain
internal import FoundationEssentials
internal import Settings
internal import Shared
internal import Time

/// `lemma keys`: the API keys of users, for operators.
enum KeysCommand {
    private static let scopeNames = KeyScope.allCases.sorted().map(\.rawValue).joined(separator: ", ")
    private static let numberMax = 1_000_000_000_000

    static let command = CommandFamily(
        name: "keys",
        summary: "create, list or revoke the API keys of users",
        actions: [add, list, revoke],
        details: """
            A user of an external issuer is named by its id. Works on the PostgreSQL that DATABASE_URL names; without it, on
            that of the lemma dev in this folder.

            """,
    ).command

    private static let add = CommandFamily.Action(
        specification: CommandSpecification(
            "keys add",
            summary: "create a key and print it; it is not shown again",
            operands: ["EMAIL"],
            options: [
                CommandOption("name", value: "NAME", "what the key is for; required"),
                CommandOption("scopes", value: "SCOPES", "comma-separated: \(scopeNames); without it, all of them"),
                CommandOption(
                    "expires",
                    value: "WHEN",
                    "after a duration such as 90d, or at a time; without it, never"
                ),
                CommandOption("requests-per-minute", value: "N", "submissions of the key"),
                CommandOption("max-active", value: "N", "requests queued or running of the key"),
                CommandOption("tokens-per-day", value: "N", "provider tokens of the key, input and output"),
                CommandOption(flag: "acts-for-end-users", "allow X-End-User"),
            ],
        )
    ) { arguments in
        let now = AccountStore.now
        let terms = KeyActions.Terms(
            name: try name(arguments["name"]),
            scopes: try scopes(arguments["scopes"]),
            expiresAt: try arguments["expires"].map { try expiry($0, from: now) },
            limits: KeyLimits(
                requestsPerMinute: try number("requests-per-minute", arguments),
                maxActive: try number("max-active", arguments),
                tokensPerDay: try number("tokens-per-day", arguments),
            ),
            actsForEndUsers: arguments.has("acts-for-end-users"),
            createdAt: now,
        )
        try await AccountStore.open { store in try await KeyActions(store).add(terms, of: arguments.operands[0]) }
    }

    private static let list = CommandFamily.Action(
        specification: CommandSpecification(
            "keys list",
            summary: "show the keys of a user, the newest first, without the secrets",
            operands: ["EMAIL"],
            options: [CommandOption(flag: "json", "one JSON object a line")],
        )
    ) { arguments in
        try await AccountStore.open { store in
            try await KeyActions(store).list(of: arguments.operands[0], asJSON: arguments.has("json"))
        }
    }

    private static let revoke = CommandFamily.Action(
        specification: CommandSpecification(
            "keys revoke",
            summary: "revoke a key for good; every replica rejects it within 1 s",
            operands: ["ID"],
        )
    ) { arguments in
        guard let id = APIKeyID(arguments.operands[0]) else {
            throw UsageError.notAllowed(
                name: "ID",
                value: arguments.operands[0],
                allowed: "an id as keys list prints it"
            )
        }
        try await AccountStore.open { store in try await KeyActions(store).revoke(id) }
    }

    // MARK: Options

    private static func name(_ text: String?) throws(UsageError) -> DisplayName {
        guard let text else { throw .missingValue(option: "--name", value: "NAME") }
        do {
            return try DisplayName(text)
        } catch {
            throw .notAllowed(name: "--name", value: text, allowed: "1 to \(DisplayName.scalarsMax) characters")
        }
    }

    private static func scopes(_ text: String?) throws(UsageError) -> Set<KeyScope> {
        guard let text else { return Set(KeyScope.allCases) }
        var scopes: Set<KeyScope> = []
        for word in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let scope = KeyScope(rawValue: String(word)) else {
                throw .notAllowed(name: "--scopes", value: text, allowed: "a comma-separated list of \(scopeNames)")
            }
            scopes.insert(scope)
        }
        return scopes
    }

    private static func number(_ option: String, _ arguments: ParsedArguments) throws(UsageError) -> Int? {
        guard let text = arguments[option] else { return nil }
        let format = SettingFormat<Int>.integer(1...numberMax)
        guard let number = format.parse(text) else {
            throw .notAllowed(name: "--\(option)", value: text, allowed: format.allowed)
        }
        return number
    }

    private static func expiry(_ text: String, from now: Timestamp) throws(UsageError) -> Timestamp {
        let duration = SettingFormat<Duration>.duration(from: .seconds(1)).parse(text)
        let time = duration.map { now.milliseconds + $0.wholeMilliseconds } ?? milliseconds(text)
        guard let time, time > now.milliseconds else {
            let allowed = "a duration such as 90d, or a time in the future such as 2030-01-31T00:00:00Z"
            throw .notAllowed(name: "--expires", value: text, allowed: allowed)
        }
        return Timestamp(milliseconds: time)
    }

    private static func milliseconds(_ text: String) -> Int64? {
        let date = try? Date(text, strategy: .iso8601)
        return date.map { Int64(($0.timeIntervalSince1970 * 1000).rounded()) }
    }
}

internal import Console
internal import LemmaSettings
internal import Settings
internal import Shared

/// `lemma config`: the effective configuration, each value with where it came from, secrets masked.
enum ConfigCommand {
    private static let roles = ["api", "worker", "dev"]

    static let command = Command(
        CommandSpecification(
            "config",
            summary: "print the effective configuration, secrets masked, each value with where it came from",
            options: [
                CommandOption("role", value: "ROLE", "for which process: api, worker or dev (the default)"),
                CommandOption(flag: "json", "as one JSON object"),
            ],
            details: "A \"-\" stands for no value. What is required and what holds by default depend on the role.",
        )
    ) { arguments in
        let loaded = try loadConfiguration(try role(arguments["role"] ?? "dev"))
        for warning in loaded.warnings { Output.error.note("warning: \(printable(warning))\n") }
        try Output.standard.write(arguments.has("json") ? json(loaded) : Array(printable(loaded.listing()).utf8))
        return .success
    }

    private static func role(_ text: String) throws(UsageError) -> Role {
        guard roles.contains(text), let role = Role(rawValue: text) else {
            throw .notAllowed(name: "--role", value: text, allowed: roles.joined(separator: ", "))
        }
        return role
    }

    private static func json(_ loaded: LoadedConfiguration) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("settings", array: loaded.rows) { writer, row in
                writer.object { writer in
                    writer.member("name", row.name)
                    writer.member("value", json: row.shownValue.map(quoted) ?? Array("null".utf8))
                    writer.member("source", row.source.description)
                }
            }
            writer.member("warnings", array: loaded.warnings) { $0.string($1) }
        }
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    private static func quoted(_ text: String) -> [UInt8] {
        var writer = JSONWriter()
        writer.string(text)
        return writer.bytes
    }
}

internal import Application
internal import Console
internal import Shared

/// What the actions on both kinds of dead letters have in common.
enum DeadLetterOutput {
    /// Entries shown by `list`.
    static let listMax = 1000

    static var unavailable: CommandFailure { CommandFailure("Redis cannot be reached or written") }

    /// The name that an operand is, or wrong usage of `action`.
    static func name(_ text: String, of action: String) throws -> DeadLetterName {
        if let name = DeadLetterName(text) { return name }
        let specification = CommandSpecification("dead-letters \(action)", summary: "", operands: ["ID"])
        let allowed = "an id as dead-letters list prints it"
        throw CommandUsageError(
            command: specification,
            mistake: .notAllowed(name: "ID", value: text, allowed: allowed),
        )
    }

    /// Columns with two blanks between them.
    static func line(_ columns: [String]) throws(OutputError) {
        try Output.standard.write(printable(columns.joined(separator: "  ")) + "\n")
    }

    static func line(json: [UInt8]) throws(OutputError) { try Output.standard.write(json + [UInt8(ascii: "\n")]) }

    /// Every field of a letter, one a line or as an object; further lines of a value are indented.
    static func write(_ name: DeadLetterName, _ fields: [DeadLetterField], asJSON: Bool) throws(OutputError) {
        if asJSON {
            let json = JSONWriter.object { writer in
                writer.member("id", name.description)
                writer.member(
                    "fields",
                    object: { writer in
                        for field in fields { writer.member(dynamic: field.name, field.value) }
                    },
                )
            }
            return try line(json: json)
        }
        for field in fields {
            let value = printable(field.value).replacing("\n", with: "\n    ")
            try Output.standard.write("\(printable(field.name)): \(value)\n")
        }
    }
}

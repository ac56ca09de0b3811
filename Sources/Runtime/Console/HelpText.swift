extension CommandSpecification {
    /// The output of `--help` for the command.
    package func help(program: String) -> String {
        var text = "\(usage(program: program))\n\n\(summary)\n"
        if !details.isEmpty { text += "\n\(details)\n" }
        let rows = options.map { (left: "--\($0.name)" + ($0.value.map { " \($0)" } ?? ""), right: $0.summary) }
        let common = [("--help", "print this help"), ("--version", "print the version")]
        return text + "\nOptions:\n" + columns(rows + common)
    }

    /// One line, for the help and for messages about mistakes.
    package func usage(program: String) -> String {
        let options = options.isEmpty ? [] : ["[options]"]
        return "usage: " + ([program, name] + options + operands).joined(separator: " ")
    }
}

/// Formats two columns; the left one is as wide as its widest entry.
package func columns(_ rows: [(left: String, right: String)]) -> String {
    let width = rows.map(\.left.count).max() ?? 0
    return rows.map { row in
        "  \(row.left)\(String(repeating: " ", count: width - row.left.count))  \(row.right)\n"
    }.joined()
}

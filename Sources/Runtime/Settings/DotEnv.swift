internal import Text

/// The content of a `.env` file.
///
/// A line is empty, a comment (`# …`), or `NAME=value`, optionally after `export `. A value is one of
/// - bare: up to the end of the line or to a ` #`; white space around it is ignored;
/// - `'single quoted'`: unchanged;
/// - `"double quoted"`: with `\n`, `\r`, `\t`, `\"`, `\\` and `\$` as escapes.
///
/// Variables are not expanded, and a value ends on its line. A repeated name is a mistake: one of the values would be
/// ignored without notice.
package struct DotEnv: Sendable {
    /// Values by name.
    package private(set) var values: [String: String] = [:]
    /// Names in the order of the file.
    package private(set) var names: [String] = []
    /// Lines that could not be parsed.
    package private(set) var mistakes: [SettingMistake] = []

    /// Parses all lines; a malformed line becomes a mistake and does not stop the parsing.
    package init(_ text: String) {
        let mark: Unicode.Scalar = "\u{FEFF}"
        let content = text.unicodeScalars.first == mark ? text.unicodeScalars.dropFirst() : text.unicodeScalars[...]
        var lines: [String: Int] = [:]
        let split = content.split(separator: "\n", omittingEmptySubsequences: false)
        for (index, scalars) in split.enumerated() {
            let scalars = scalars.last == "\r" ? scalars.dropLast() : scalars
            do throws(LineError) {
                guard let (name, value) = try Self.parse(Substring(scalars)) else { continue }
                if let first = lines[name] { throw LineError(reason: "\(name) is already set in line \(first)") }
                lines[name] = index + 1
                names.append(name)
                values[name] = value
            } catch {
                mistakes.append(.unreadableLine(number: index + 1, reason: error.reason))
            }
        }
    }

    /// Why a line cannot be parsed.
    ///
    /// Never contains the value, which may be a secret.
    private struct LineError: Error { let reason: String }

    private static func parse(_ line: Substring) throws(LineError) -> (name: String, value: String)? {
        var rest = line.drop(while: isBlank)
        if rest.isEmpty || rest.first == "#" { return nil }
        if rest.hasPrefix("export "), case let after = rest.dropFirst(7).drop(while: isBlank), !after.hasPrefix("=") {
            rest = after
        }
        guard let equals = rest.firstIndex(of: "=") else {
            throw LineError(reason: "expected NAME=value, found no \"=\"")
        }
        let name = String(rest[..<equals].trimmingBlanks)
        guard isName(name) else {
            throw LineError(reason: "a name consists of letters, digits and \"_\", and does not begin with a digit")
        }
        return (name, try value(rest[rest.index(after: equals)...].drop(while: isBlank)))
    }

    private static func value(_ text: Substring) throws(LineError) -> String {
        switch text.first {
        case "'":
            let body = text.dropFirst()
            guard let end = body.firstIndex(of: "'") else { throw LineError(reason: "the quote ' is never closed") }
            try checkTail(body[body.index(after: end)...])
            return String(body[..<end])
        case "\"":
            return try doubleQuoted(text.dropFirst())
        default:
            return bare(text)
        }
    }

    private static func bare(_ text: Substring) -> String {
        var previous: Character = " "
        for index in text.indices {
            if text[index] == "#", isBlank(previous) { return String(text[..<index].trimmingBlanks) }
            previous = text[index]
        }
        return String(text.trimmingBlanks)
    }

    private static func doubleQuoted(_ text: Substring) throws(LineError) -> String {
        var value = ""
        var index = text.startIndex
        while index < text.endIndex {
            let character = text[index]
            index = text.index(after: index)
            if character == "\"" {
                try checkTail(text[index...])
                return value
            }
            guard character == "\\" else {
                value.append(character)
                continue
            }
            guard index < text.endIndex, let escaped = escapes[text[index]] else {
                throw LineError(reason: "after a backslash in double quotes only n, r, t, \", \\ and $ may follow")
            }
            value.append(escaped)
            index = text.index(after: index)
        }
        throw LineError(reason: "the quote \" is never closed")
    }

    private static let escapes: [Character: Character] = [
        "n": "\n", "r": "\r", "t": "\t", "\"": "\"", "\\": "\\", "$": "$",
    ]

    private static func checkTail(_ tail: Substring) throws(LineError) {
        let rest = tail.drop(while: isBlank)
        guard rest.isEmpty || rest.first == "#" else {
            throw LineError(reason: "after the closing quote only a comment may follow")
        }
    }

    private static func isBlank(_ character: Character) -> Bool { character == " " || character == "\t" }

    private static func isName(_ name: String) -> Bool {
        guard let first = name.utf8.first, !first.isDigit else { return false }
        return name.utf8.allSatisfy { $0.isLetter || $0.isDigit || $0 == UInt8(ascii: "_") }
    }
}

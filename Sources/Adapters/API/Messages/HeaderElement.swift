internal import Text

/// One member of a header's list, with its parameters: `text/html;q=0.5`, `wait="10"` (RFC 9110, section 5.6).
struct HeaderElement: Equatable {
    /// The text before the first `;`, without a value after `=`, in lower case.
    let name: String
    /// The value after `=` there, without quotes; nil where there is none.
    let value: String?
    /// Names in lower case, values without quotes.
    let parameters: [(name: String, value: String?)]

    /// The members of a list, in order; commas and semicolons in quotes are part of a value.
    static func list(_ header: String?) -> [HeaderElement] {
        pieces(of: (header ?? "")[...], at: ",").compactMap { member in
            let parts = pieces(of: member, at: ";").map(assignment)
            guard let first = parts.first, !first.name.isEmpty else { return nil }
            return HeaderElement(
                name: first.name,
                value: first.value,
                parameters: Array(parts.dropFirst().filter { !$0.name.isEmpty }),
            )
        }
    }

    subscript(parameter name: String) -> String? {
        parameters.first { $0.name == name }?.value
    }

    static func == (left: HeaderElement, right: HeaderElement) -> Bool {
        left.name == right.name && left.value == right.value
            && left.parameters.elementsEqual(right.parameters, by: ==)
    }

    /// Splits at each separator outside a quoted string.
    private static func pieces(of text: Substring, at separator: Character) -> [Substring] {
        var pieces: [Substring] = []
        var start = text.startIndex
        var isQuoted = false
        var isEscaped = false
        for index in text.indices {
            let character = text[index]
            if isEscaped {
                isEscaped = false
            } else if isQuoted, character == "\\" {
                isEscaped = true
            } else if character == "\"" {
                isQuoted.toggle()
            } else if character == separator, !isQuoted {
                pieces.append(text[start..<index])
                start = text.index(after: index)
            }
        }
        pieces.append(text[start...])
        return pieces
    }

    private static func assignment(_ text: Substring) -> (name: String, value: String?) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(\.trimmingBlanks)
        return (parts[0].lowercased(), parts.count == 2 ? unquoted(parts[1]) : nil)
    }

    private static func unquoted(_ text: Substring) -> String {
        guard text.count >= 2, text.first == "\"", text.last == "\"" else { return String(text) }
        var value = ""
        var isEscaped = false
        for character in text.dropFirst().dropLast() {
            if character == "\\", !isEscaped {
                isEscaped = true
            } else {
                value.append(character)
                isEscaped = false
            }
        }
        return value
    }
}

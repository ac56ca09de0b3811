internal import Text

/// The format of one kind of value: a description and a parser.
package struct SettingFormat<Value: Sendable>: Sendable {
    /// The allowed values, as they follow "allowed: " in a message, such as "an integer from 1 to 64".
    package let allowed: String
    /// The part of a value that may be shown.
    package let masking: Masking
    /// Returns the value of a text, or nil if the text is not allowed.
    ///
    /// The text is never empty.
    package let parse: @Sendable (String) -> Value?

    /// Values may be shown unless `masking` restricts it.
    package init(_ allowed: String, masking: Masking = .none, parse: @escaping @Sendable (String) -> Value?) {
        self.allowed = allowed
        self.masking = masking
        self.parse = parse
    }

    /// The same text converted into another type; `transform` returns nil for a value that is not allowed.
    package func map<Result: Sendable>(
        _ allowed: String? = nil,
        masking: Masking? = nil,
        _ transform: @escaping @Sendable (Value) -> Result?
    ) -> SettingFormat<Result> {
        let parse = parse
        return SettingFormat<Result>(allowed ?? self.allowed, masking: masking ?? self.masking) { text in
            parse(text).flatMap(transform)
        }
    }

    /// The format, or the word `off` for nil.
    package func orOff() -> SettingFormat<Value?> {
        let parse = parse
        return SettingFormat<Value?>("\(allowed), or `off`", masking: masking) { text in
            if text == "off" { return .some(nil) }
            return parse(text).map(Optional.some)
        }
    }

    /// A comma-separated list of this format.
    ///
    /// White space around items is ignored; an empty item is not allowed.
    package func list() -> SettingFormat<[Value]> {
        let parse = parse
        return SettingFormat<[Value]>("a comma-separated list, each \(allowed)", masking: masking) { text in
            var values: [Value] = []
            for item in text.split(separator: ",", omittingEmptySubsequences: false) {
                let item = String(item.trimmingBlanks)
                guard !item.isEmpty, let value = parse(item) else { return nil }
                values.append(value)
            }
            return values
        }
    }
}

extension SettingFormat<String> {
    /// Any text without control characters.
    package static var text: Self {
        Self("text without control characters") { text in
            text.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F } ? nil : text
        }
    }

    /// A host name or address to bind: no white space, no control characters.
    package static var host: Self {
        Self("a host name or an IP address") { text in
            text.unicodeScalars.contains { $0.value <= 0x20 || $0.value == 0x7F || $0 == "/" } ? nil : text
        }
    }

    /// An absolute `http` or `https` URL without user information; a trailing slash is removed.
    package static var httpURL: Self {
        exactHTTPURL.map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 }
    }

    /// The same with its trailing slash.
    package static var exactHTTPURL: Self {
        Self("an http:// or https:// URL without user and password", masking: .url) { text in
            guard let url = URLText(text), ["http", "https"].contains(url.scheme), !url.authority.isEmpty,
                !url.authority.contains("@")
            else { return nil }
            return text
        }
    }

    /// An origin as a browser sends it (RFC 6454): scheme, host and port only; or `*`.
    package static var origin: Self {
        Self("an origin such as `https://app.example.org`, or `*`") { text in
            if text == "*" { return text }
            guard let url = URLText(text), ["http", "https"].contains(url.scheme), !url.authority.isEmpty,
                !url.authority.contains("@"), url.rest.isEmpty
            else { return nil }
            return text.lowercased()
        }
    }
}

extension SettingFormat<ConnectionURL> {
    /// An absolute URL with one of `schemes`; its password is never shown.
    ///
    /// `reserved` schemes are accepted here: the module that uses the URL rejects them with a specific message.
    package static func url(schemes: [String], reserved: [String] = []) -> Self {
        let listed = schemes.map { "`\($0)://`" }.joined(separator: ", ")
        return Self("a URL that begins with \(listed)", masking: .url) { text in
            guard let url = URLText(text), (schemes + reserved).contains(url.scheme) else { return nil }
            return url.authority.isEmpty && url.rest.isEmpty ? nil : ConnectionURL(text)
        }
    }
}

extension SettingFormat<Bool> {
    /// `on` or `off`.
    package static var onOff: Self {
        Self("`on` or `off`") { text in
            switch text {
            case "on": true
            case "off": false
            case _: nil
            }
        }
    }
}

extension SettingFormat<Secret> {
    /// Text of at least `bytesMin` bytes without control characters, never shown.
    package static func secret(bytesMin: Int = 1) -> Self {
        let allowed = SettingFormat<String>.text.allowed
        let least = bytesMin > 1 ? ", at least \(bytesMin) bytes" : ""
        return SettingFormat<String>.text.map(allowed + least, masking: .whole) { text in
            text.utf8.count >= bytesMin ? Secret(text) : nil
        }
    }
}

extension SettingFormat where Value: RawRepresentable<String> & CaseIterable {
    /// One of the cases, by raw value.
    package static var choice: Self {
        let listed = Value.allCases.map { "`\($0.rawValue)`" }.joined(separator: ", ")
        return Self("one of \(listed)") { Value(rawValue: $0) }
    }
}

/// The three parts of an absolute URL, undecoded: `scheme://authority rest`.
struct URLText {
    /// Lower case.
    let scheme: String
    /// User information, host and port.
    let authority: Substring
    /// Path, query and fragment.
    let rest: Substring

    /// Nil unless `text` begins with a scheme (RFC 3986) and `://`, and holds no white space nor control characters.
    init?(_ text: String) {
        guard !text.unicodeScalars.contains(where: { $0.value <= 0x20 || $0.value == 0x7F }),
            let mark = text.range(ofText: "://")
        else { return nil }
        let scheme = text[..<mark.lowerBound]
        guard let first = scheme.utf8.first, first.isLetter,
            scheme.utf8.allSatisfy({ $0.isLetter || $0.isDigit || "+-.".utf8.contains($0) })
        else { return nil }
        self.scheme = scheme.lowercased()
        let remainder = text[mark.upperBound...]
        let end = remainder.firstIndex { "/?#".contains($0) } ?? remainder.endIndex
        authority = remainder[..<end]
        rest = remainder[end...]
    }
}

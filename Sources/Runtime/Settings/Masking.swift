/// The part of a setting's value that listings and error messages may show.
package enum Masking: Sendable {
    /// Everything.
    case none
    /// Nothing.
    case whole
    /// A URL without its password and without the values of query parameters such as `password=`.
    case url

    /// The text in place of a secret.
    static let mask = "***"

    /// `value` as it may be shown.
    package func apply(to value: String) -> String {
        switch self {
        case .none: value
        case .whole: value.isEmpty ? "" : Self.mask
        case .url: Self.maskURL(value)
        }
    }

    /// Masks too much rather than too little.
    ///
    /// Everything up to the *last* `@` counts as user information, because a password may contain an unescaped `/`, `?`
    /// or `@`. A user name is shown only if a password follows it.
    private static func maskURL(_ url: String) -> String {
        let start = url.range(ofText: "://")?.upperBound ?? url.startIndex
        let (address, query) = cut(url, at: "?")
        if let query, query.contains("@") { return url[..<start] + mask }
        var shown = address
        if let at = address.lastIndex(of: "@"), start <= at {
            let user = address[start..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            let name = user.count == 2 ? user[0] + ":" : ""
            shown = address[..<start] + name + mask + address[at...]
        }
        guard let query else { return shown }
        let parameters = query.split(separator: "&", omittingEmptySubsequences: false).map(maskParameter)
        return shown + "?" + parameters.joined(separator: "&")
    }

    private static func maskParameter(_ parameter: Substring) -> String {
        let (name, value) = cut(String(parameter), at: "=")
        guard value != nil else { return name }
        let lowered = name.lowercased()
        let isSecret = ["pass", "secret", "token", "key", "auth"].contains { lowered.range(ofText: $0) != nil }
        return isSecret ? "\(name)=\(mask)" : String(parameter)
    }

    private static func cut(_ text: String, at separator: Character) -> (String, String?) {
        guard let index = text.firstIndex(of: separator) else { return (text, nil) }
        return (String(text[..<index]), String(text[text.index(after: index)...]))
    }
}

extension StringProtocol {
    /// The range of the first occurrence of `text`, which is not empty.
    func range(ofText text: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
            start = index(after: start)
        }
        return nil
    }
}

/// A path of literal segments with at most one placeholder.
///
/// `{id}` matches one segment, `{file...}` the rest of the path; neither matches an empty string.
struct PathPattern {
    private enum Placeholder {
        case none
        case segment
        case rest
    }

    let text: String
    private let prefix: String
    private let suffix: String
    private let placeholder: Placeholder

    init(_ text: String) {
        self.text = text
        guard let open = text.firstIndex(of: "{"), let close = text.firstIndex(of: "}") else {
            (prefix, suffix, placeholder) = (text, "", .none)
            return
        }
        prefix = String(text[..<open])
        suffix = String(text[text.index(after: close)...])
        placeholder = text[..<close].hasSuffix("...") ? .rest : .segment
        precondition(!suffix.contains("{"), "a pattern has one placeholder")
        precondition(placeholder == .segment || suffix.isEmpty, "nothing follows the rest of a path")
    }

    /// What the placeholder matches, empty where the pattern has none; nil where `path` is another.
    func match(_ path: String) -> Substring? {
        let bytes = path.utf8
        guard bytes.starts(with: prefix.utf8) else { return nil }
        guard placeholder != .none else { return bytes.count == prefix.utf8.count ? "" : nil }
        let length = bytes.count - prefix.utf8.count - suffix.utf8.count
        guard length > 0, bytes.suffix(suffix.utf8.count).elementsEqual(suffix.utf8) else { return nil }
        let start = bytes.index(bytes.startIndex, offsetBy: prefix.utf8.count)
        let value = path[start..<bytes.index(start, offsetBy: length)]
        return placeholder == .rest || !value.utf8.contains(UInt8(ascii: "/")) ? value : nil
    }
}

internal import Text

/// A URL from which keys may be fetched: `https`, or `http` on this machine alone.
struct IssuerURL: Equatable {
    let text: String
    /// True for `http`, and so for this machine.
    let isPlain: Bool

    /// Nil for a URL with another scheme, with user information, without a host, or with characters that URLs do not
    /// have.
    init?(_ text: String) {
        let isPlain = text.hasPrefix("http://")
        guard isPlain || text.hasPrefix("https://"), text.utf8.count <= 2048,
            text.utf8.allSatisfy({ (0x21...0x7E).contains($0) && !#"\"<>^`{|}"#.utf8.contains($0) })
        else { return nil }
        let authority = text.dropFirst(isPlain ? 7 : 8).prefix { !"/?#".contains($0) }
        guard let host = Self.host(of: authority), !isPlain || Self.isLoopback(host) else { return nil }
        self.text = text
        self.isPlain = isPlain
    }

    /// The address of the issuer's metadata (OpenID Connect Discovery 1.0, section 4.1); nil where the issuer's name
    /// has a query or a fragment.
    var discovery: String? {
        guard !text.contains("?"), !text.contains("#") else { return nil }
        return (text.hasSuffix("/") ? String(text.dropLast()) : text) + "/.well-known/openid-configuration"
    }

    /// The host of `host:port`; nil for anything else.
    private static func host(of authority: Substring) -> Substring? {
        let end = authority.hasPrefix("[") ? authority.firstIndex(of: "]").map { authority.index(after: $0) } : nil
        let host = authority.prefix(upTo: end ?? authority.firstIndex(of: ":") ?? authority.endIndex)
        let rest = authority[host.endIndex...]
        let isAddress = host.hasPrefix("[") && host.hasSuffix("]")
        let others = isAddress ? "[]:.".utf8 : "-._".utf8
        let isHost = !host.isEmpty && host.utf8.allSatisfy { $0.isLetter || $0.isDigit || others.contains($0) }
        let port = rest.isEmpty ? 443 : rest.hasPrefix(":") ? UInt16(rest.dropFirst()) ?? 0 : 0
        return isHost && port > 0 ? host : nil
    }

    /// `localhost`, 127.0.0.0/8 or ::1 (RFC 6761, section 6.3).
    private static func isLoopback(_ host: Substring) -> Bool {
        if host == "localhost" || host == "[::1]" { return true }
        let bytes = host.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        return bytes.count == 4 && bytes.allSatisfy { $0 != nil } && bytes[0] == 127
    }
}

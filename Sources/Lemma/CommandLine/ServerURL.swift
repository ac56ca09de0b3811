internal import Console

/// Where a server is: scheme, host and port, nothing more.
struct ServerURL: Sendable, Equatable {
    /// For example `https://lemma.example.org:8443`, without a slash at the end.
    let origin: String

    /// The local server on `port`.
    init(localPort port: Int) { origin = "http://127.0.0.1:\(port)" }

    /// Reads the value of `--url`.
    init(argument text: String) throws(UsageError) {
        guard let (origin, rest) = Self.split(text), rest.isEmpty || rest == "/" else {
            throw .notAllowed(name: "--url", value: text, allowed: "http://HOST[:PORT] or https://HOST[:PORT]")
        }
        self.origin = origin
    }

    /// The URL behind a reference that begins with one slash; nil for any other, which could lead elsewhere.
    func resolve(_ reference: String) -> String? {
        guard reference.hasPrefix("/"), !reference.hasPrefix("//"), !reference.contains("\\") else { return nil }
        return origin + reference
    }

    /// Cuts an HTTP URL after host and port; nil when it is none, or names a user.
    static func split(_ text: String) -> (origin: String, rest: Substring)? {
        let lowered = text.lowercased()
        guard let scheme = ["http://", "https://"].first(where: lowered.hasPrefix) else { return nil }
        let afterScheme = text.dropFirst(scheme.count)
        let host = afterScheme.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), !host.contains("@"),
            !host.hasPrefix(":"), !host.contains("\\")
        else { return nil }
        return (scheme + host, afterScheme.dropFirst(host.count))
    }

    /// True where nothing on the way can read what is sent.
    var isSecure: Bool { origin.hasPrefix("https://") || isLocal }

    /// True for the local machine, to which no proxy leads.
    var isLocal: Bool {
        let host = origin.drop { $0 != "/" }.dropFirst(2)
        return host.hasPrefix("127.") || host.hasPrefix("[::1]") || host.prefix { $0 != ":" } == "localhost"
    }
}

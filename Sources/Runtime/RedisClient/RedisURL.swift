package import EventLoop
internal import Text

/// The address of a Redis server and the login, parsed from one URL.
///
/// Forms: `redis://[[user]:password@]host[:port][/database]`, `rediss://…` for TLS, and
/// `unix://[[user]:password@]/path[?db=database]`. User and password are percent-decoded (RFC 3986, section 2.1).
/// ``description`` masks the password.
package struct RedisURL: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible {
    package let endpoint: Endpoint
    package let usesTLS: Bool
    /// The access-control user; nil for the default user.
    package let user: String?
    package let password: String?
    /// From 0.
    package let database: Int

    private static let portDefault = 6379

    package init(
        endpoint: Endpoint,
        usesTLS: Bool = false,
        user: String? = nil,
        password: String? = nil,
        database: Int = 0,
    ) {
        self.endpoint = endpoint
        self.usesTLS = usesTLS
        self.user = user
        self.password = password
        self.database = database
    }

    package init(_ text: String) throws(RedisURLError) {
        guard let colon = text.firstRange(of: "://") else {
            throw .malformed("it must begin with redis://, rediss:// or unix://")
        }
        let rest = text[colon.upperBound...]
        switch text[..<colon.lowerBound] {
        case "redis": try self.init(network: rest, usesTLS: false)
        case "rediss": try self.init(network: rest, usesTLS: true)
        case "unix": try self.init(unix: rest)
        case "redis+sentinel": throw .notSupportedYet("redis+sentinel")
        case "redis+cluster": throw .notSupportedYet("redis+cluster")
        default: throw .malformed("it must begin with redis://, rediss:// or unix://")
        }
    }

    private init(network rest: Substring, usesTLS: Bool) throws(RedisURLError) {
        let (authority, path) = rest.split(at: "/")
        // Such a path is the rest of a password, so the error must not quote it.
        guard path?.contains("@") != true else {
            throw .malformed("a / in user or password must be percent-encoded, as %2F")
        }
        let (login, address) = try Self.login(in: authority)
        guard !address.contains("#"), path?.contains("#") != true else { throw .fragment }
        guard !address.split(at: "?").0.contains(",") else { throw .severalHosts }
        if let options = address.split(at: "?").1 ?? path?.split(at: "?").1 {
            throw .unknownOption(Self.optionName(options))
        }
        self.init(
            endpoint: try Self.endpoint(address),
            usesTLS: usesTLS,
            user: login.user,
            password: login.password,
            database: try Self.database(path ?? ""),
        )
    }

    private init(unix rest: Substring) throws(RedisURLError) {
        let (location, options) = rest.split(at: "?")
        guard let slash = location.firstIndex(of: "/") else { throw .malformed("unix:// needs an absolute path") }
        let (login, host) = try Self.login(in: location[..<slash])
        guard host.isEmpty else { throw .malformed("unix:// has a path and no host") }
        let path = try Self.percentDecoded(location[slash...], "path")
        // sun_path has 108 bytes, one of them the terminator (unix(7)); libuv truncates a longer one silently.
        guard path.utf8.count > 1, path.utf8.count < 108 else { throw .malformed("the path must have 2 to 107 bytes") }
        var database: Substring = ""
        for option in (options ?? "").split(separator: "&") {
            guard option.hasPrefix("db=") else { throw .unknownOption(Self.optionName(option)) }
            database = option.dropFirst(3)
        }
        self.init(
            endpoint: .unix(path: path),
            user: login.user,
            password: login.password,
            database: try Self.database(database),
        )
    }

    // MARK: Parts

    /// The name of the first option in a query; empty where the text is no name and may be part of a secret.
    private static func optionName(_ options: Substring) -> String {
        let name = options.prefix { $0 != "=" && $0 != "&" }
        let isName = name.utf8.allSatisfy {
            $0.isLetter || $0.isDigit || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-")
        }
        return isName ? String(name) : ""
    }

    private static func login(
        in authority: Substring
    ) throws(RedisURLError) -> (login: (user: String?, password: String?), address: Substring) {
        guard let at = authority.lastIndex(of: "@") else { return ((nil, nil), authority) }
        let (user, password) = authority[..<at].split(at: ":")
        let decodedUser = try percentDecoded(user, "user")
        guard let password else { throw .malformed("a user needs a password") }
        let decodedPassword = try percentDecoded(password, "password")
        guard !decodedPassword.isEmpty else { throw .malformed("the password is empty") }
        return ((decodedUser.isEmpty ? nil : decodedUser, decodedPassword), authority[authority.index(after: at)...])
    }

    private static func endpoint(_ address: Substring) throws(RedisURLError) -> Endpoint {
        var host = address
        var port: Substring?
        if address.hasPrefix("["), let end = address.firstIndex(of: "]") {
            host = address[address.index(after: address.startIndex)..<end]
            let rest = address[address.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { throw .malformed("a port follows the address after :") }
            port = rest.isEmpty ? nil : rest.dropFirst()
        } else {
            (host, port) = address.split(at: ":")
        }
        guard !host.isEmpty else { throw .malformed("the host is missing") }
        guard let port else { return .tcp(host: String(host), port: portDefault) }
        guard let number = Int(port), (1...65_535).contains(number) else {
            throw .malformed("the port must be 1 to 65535")
        }
        return .tcp(host: String(host), port: number)
    }

    private static func database(_ text: Substring) throws(RedisURLError) -> Int {
        if text.isEmpty { return 0 }
        guard let number = Int(text), number >= 0 else { throw .malformed("the database must be a number from 0") }
        return number
    }

    private static func percentDecoded(_ text: Substring, _ part: String) throws(RedisURLError) -> String {
        guard let bytes = PercentEncoding.decode(Array(text.utf8)[...]) else {
            throw .malformed("a % in the \(part) must be followed by two hexadecimal digits")
        }
        guard let decoded = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
            throw .malformed("the \(part) is no text")
        }
        return decoded
    }

    package var description: String {
        let login = password == nil ? "" : "\(user ?? ""):***@"
        switch endpoint {
        case .tcp: return "\(usesTLS ? "rediss" : "redis")://\(login)\(endpoint)/\(database)"
        case .unix(let path): return "unix://\(login)\(path)?db=\(database)"
        }
    }

    package var debugDescription: String { description }
}

/// Why a Redis URL is rejected; never quotes the URL, which may hold a password.
package enum RedisURLError: Error, Equatable, CustomStringConvertible {
    case malformed(String)
    /// An option after `?` that this form of URL does not have; the name without the value.
    case unknownOption(String)
    /// More than one host, separated by commas.
    case severalHosts
    /// A part after `#`.
    case fragment
    /// A known form that this release does not support.
    case notSupportedYet(String)

    package var description: String {
        switch self {
        case .malformed(let reason): reason
        case .unknownOption(let name): "it takes no option \(name.isEmpty ? "after ?" : name)"
        case .severalHosts: "a list of hosts is for Sentinel or Cluster, which are not supported yet; name one host"
        case .fragment: "a part after # has no meaning; write # in a user or password as %23"
        case .notSupportedYet(let scheme): "\(scheme):// is reserved for a later release; this one serves one Redis"
        }
    }
}

extension Substring {
    /// The text before the first `separator` and the text after it; nil without a separator.
    fileprivate func split(at separator: Character) -> (Substring, Substring?) {
        guard let index = firstIndex(of: separator) else { return (self, nil) }
        return (self[..<index], self[self.index(after: index)...])
    }
}

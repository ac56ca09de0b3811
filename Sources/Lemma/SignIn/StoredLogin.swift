internal import FoundationEssentials

/// The tokens of one login at one server; an entry of the credentials file.
///
/// Prints as the address alone.
struct StoredLogin: Codable, Equatable, Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    /// An access token that ends sooner is renewed before it is sent.
    private static let margin = 30.0

    let email: String
    let accessToken: String
    let accessTokenEndsAt: Date
    let refreshToken: String
    let refreshTokenEndsAt: Date

    init(email: String, _ tokens: Reply.Tokens, at now: Date) {
        self.email = email
        accessToken = tokens.accessToken
        accessTokenEndsAt = now.addingTimeInterval(Double(tokens.expiresIn))
        refreshToken = tokens.refreshToken
        refreshTokenEndsAt = now.addingTimeInterval(Double(tokens.refreshExpiresIn))
    }

    /// True while the access token can be sent.
    func isFresh(at now: Date) -> Bool { accessTokenEndsAt.timeIntervalSince(now) > Self.margin }

    var description: String { "login of \(email)" }
    var debugDescription: String { description }
}

internal import Cryptography
internal import Shared
internal import Text

/// What an `Authorization` header carries, by its form alone.
enum Credential: Equatable {
    /// A Bearer token with the form of a JSON Web Token, valid or not.
    case accessToken(String)
    /// A Bearer token with the prefix of Lemma's API keys, valid or not.
    case apiKey(String)
    /// A Bearer token of another form.
    case otherToken
    /// Another scheme, or a malformed header.
    case otherScheme

    /// Nil without a header.
    init?(_ header: String?) {
        guard let header else { return nil }
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.first?.lowercased() == "bearer", parts.count == 2 else {
            self = .otherScheme
            return
        }
        let token = parts[1].trimmingBlanks
        if token.hasPrefix("lm_") {
            self = .apiKey(String(token))
        } else {
            self = Self.isJWT(Array(token.utf8)) ? .accessToken(String(token)) : .otherToken
        }
    }

    /// True for what Lemma itself could have issued or accept, so that nothing else of the request counts.
    var isOurs: Bool {
        switch self {
        case .accessToken, .apiKey: true
        case .otherToken, .otherScheme: false
        }
    }

    /// True for three parts in base64url, the first of them a JSON object (RFC 7519, section 7.2).
    private static func isJWT(_ token: [UInt8]) -> Bool {
        let parts = token.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, parts.allSatisfy(Base64URL.hasOnlyDigits),
            let header = Base64URL.decode(parts[0]), header.first(where: { $0 > 0x20 }) == UInt8(ascii: "{")
        else { return false }
        do throws(JSONSyntax.Failure) {
            try JSONSyntax.check(header)
            return true
        } catch {
            // An object with a repeated member is still an object.
            if case .repeatedMember = error { return true }
            return false
        }
    }
}

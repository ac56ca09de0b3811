internal import Cryptography
internal import Shared
internal import Text

/// What an `Authorization` header carries, by its form alone.
enum Credential {
    /// A Bearer token with the form of an access token or an API key of Lemma's, valid or not.
    case token
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
        self = token.hasPrefix("lm_") || Self.isJWT(token) ? .token : .otherToken
    }

    /// True for three parts in base64url, the first of them a JSON object (RFC 7519, section 7.2).
    private static func isJWT(_ token: Substring) -> Bool {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false).map { Base64URL.decode($0) }
        guard parts.count == 3, parts.allSatisfy({ $0 != nil }), let header = parts[0],
            header.first(where: { $0 > 0x20 }) == UInt8(ascii: "{")
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

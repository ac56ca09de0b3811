package import Application
internal import Cryptography
package import Domain
package import Shared
internal import Time

/// Access tokens of Lemma's own: JSON Web Tokens (RFC 7519, RFC 9068) with HMAC-SHA256.
///
/// Every replica with the same secrets accepts them, and nothing is stored. A token lives until it expires; a disabled
/// account is rejected before.
package struct SignedAccessTokens: AccessTokenIssuer {
    /// How far the clocks of two replicas may be apart.
    private static let skew = Duration.seconds(5)
    private static let header = Base64URL.encode(#"{"alg":"HS256","typ":"at+jwt"}"#.utf8)
    private static let headerBytes = Array(header.utf8)

    private let secrets: [[UInt8]]
    /// `iss`.
    let issuer: String
    private let audience: String
    private let lifetime: Duration
    private let clock: any WallClock

    /// The first of `secrets` signs, all of them verify.
    package init(secrets: [[UInt8]], issuer: String, audience: String, lifetime: Duration, clock: any WallClock) {
        precondition(!secrets.isEmpty, "access tokens need a secret to sign with")
        self.secrets = secrets
        self.issuer = issuer
        self.audience = audience
        self.lifetime = lifetime
        self.clock = clock
    }

    package func issue(for account: Account, in session: SessionID) -> AccessToken {
        let now = Int(clock.now().milliseconds / 1000)
        let claims = JSONWriter.object { json in
            json.member("iss", issuer)
            json.member("aud", audience)
            json.member("sub", account.id.description)
            json.member("roles", array: account.roles.sorted()) { json, role in json.string(role.rawValue) }
            json.member("sid", session.description)
            json.member("iat", now)
            json.member("nbf", now)
            json.member("exp", now + Int(lifetime.wholeSeconds))
            json.member("jti", Base64URL.encode(SecureRandom.bytes(16)))
        }
        let message = "\(Self.header).\(Base64URL.encode(claims))"
        let code = HMACSHA256.authenticate(message.utf8, key: secrets[0])
        return AccessToken(text: "\(message).\(Base64URL.encode(code))", expiresIn: lifetime)
    }

    /// Verifies a token with the header that ``issue(for:in:)`` writes; nil for one with another header.
    func verifyOwnForm(_ text: String) throws(AccessTokenFault) -> VerifiedToken? {
        guard text.utf8.count <= CompactJWS.bytesMax else { throw .tooLong }
        guard text.utf8.starts(with: Self.headerBytes), text.utf8.dropFirst(Self.headerBytes.count).first == 0x2E else {
            return nil
        }
        let segments = try CompactJWS.Segments(text)
        try check(try segments.decodedSignature(), of: Array(segments.message))
        return try read(try segments.decodedClaims())
    }

    /// Verifies a token of any other form that means the same.
    func verify(_ token: CompactJWS) throws(AccessTokenFault) -> VerifiedToken {
        guard token.algorithm == "HS256" else { throw .algorithm }
        guard token.isAccessToken else { throw .kind }
        guard token.keyID == nil else { throw .header }
        try check(token.signature, of: token.message)
        return try read(token.claims)
    }

    private func check(_ signature: [UInt8], of message: [UInt8]) throws(AccessTokenFault) {
        guard secrets.contains(where: { HMACSHA256.verify(signature, of: message, key: $0) }) else { throw .signature }
    }

    private func read(_ claims: StrictObject) throws(AccessTokenFault) -> VerifiedToken {
        guard claims.string("iss") == issuer else { throw .issuer }
        guard claims.strings("aud")?.contains(audience) == true else { throw .audience }
        try claims.checkTimes(at: clock.now(), skew: Self.skew)
        guard let account = claims.string("sub").flatMap({ AccountID($0) }),
            let session = claims.string("sid").flatMap({ SessionID($0) }), let names = claims.strings("roles")
        else { throw .claims }
        // A role that this release does not know has no effect here.
        return VerifiedToken(subject: .account(account, session), roles: Set(names.compactMap { Role(rawValue: $0) }))
    }
}

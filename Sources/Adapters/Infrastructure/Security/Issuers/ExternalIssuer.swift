internal import Application
internal import Cryptography
package import Shared

/// A configured issuer: what its tokens must be like, and the keys that it signs them with.
package struct ExternalIssuer: Sendable {
    /// By how much its clock may differ.
    private static let skew = Duration.seconds(60)
    private static let kinds: Set<String?> = ["at+jwt", "application/at+jwt", "jwt", nil]

    let rules: IssuerRules
    let keys: IssuerKeys
    private let clock: any WallClock

    package init(_ rules: IssuerRules, keys: IssuerKeys, clock: any WallClock) {
        self.rules = rules
        self.keys = keys
        self.clock = clock
    }

    /// Verifies one of its tokens; nil where the issuer may have a key by now that is not known here.
    ///
    /// With `hasPresentKeys` there is no such key.
    func verify(_ token: CompactJWS, hasPresentKeys: Bool) throws(AccessTokenFault) -> VerifiedToken? {
        guard Self.kinds.contains(token.kind) else { throw .kind }
        guard let algorithm = SignatureAlgorithm(rawValue: token.algorithm), rules.algorithms.contains(algorithm) else {
            throw .algorithm
        }
        let candidates = keys.present.keys(for: algorithm, id: token.keyID)
        // Without a name only one key is tried; a name that several keys have is the issuer's mistake, not the
        // caller's.
        guard token.keyID != nil || candidates.count <= 1 else { throw .key }
        if candidates.contains(where: { $0.verify(token.signature, of: token.message) }) {
            return try read(token.claims)
        }
        let isKnownByName = token.keyID != nil && !candidates.isEmpty
        guard hasPresentKeys || isKnownByName else { return nil }
        throw candidates.isEmpty ? .key : .signature
    }

    private func read(_ claims: StrictObject) throws(AccessTokenFault) -> VerifiedToken {
        guard let audience = claims.strings("aud"), !rules.audience.isDisjoint(with: audience) else { throw .audience }
        try claims.checkTimes(at: clock.now(), skew: Self.skew)
        guard let subject = claims.string(rules.userClaim), SubjectName.isValid(subject) else { throw .claims }
        return VerifiedToken(subject: .issuer(rules.name, subject: subject), roles: rules.roles(in: claims))
    }
}

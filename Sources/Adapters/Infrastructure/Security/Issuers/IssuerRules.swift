package import Cryptography
package import Domain

/// An external issuer as it is configured: whose access tokens are accepted, and what they must be like.
package struct IssuerRules: Sendable, Equatable {
    /// `iss` of its tokens, compared exactly.
    package let name: String
    /// A token is for one of these, by `aud`.
    package let audience: Set<String>
    /// Where its keys are; nil for OpenID discovery.
    package let keysURL: String?
    package let algorithms: Set<SignatureAlgorithm>
    /// The claim that names the user.
    package let userClaim: String
    /// The claim that names the user's roles; nil where the issuer grants none.
    package let rolesClaim: String?
    /// The roles by the values of that claim.
    package let roleNames: [String: Role]

    package init(
        name: String,
        audience: Set<String>,
        keysURL: String? = nil,
        algorithms: Set<SignatureAlgorithm> = Set(SignatureAlgorithm.allCases),
        userClaim: String = "sub",
        rolesClaim: String? = nil,
        roleNames: [String: Role] = [:]
    ) {
        self.name = name
        self.audience = audience
        self.keysURL = keysURL
        self.algorithms = algorithms
        self.userClaim = userClaim
        self.rolesClaim = rolesClaim
        self.roleNames = roleNames
    }

    /// The roles that a token's claims grant; a value that the configuration does not name grants nothing.
    ///
    /// The claim is an array of strings or one string. Where no claim has the configured name, its dots separate the
    /// names of nested objects, such as `realm_access.roles`.
    func roles(in claims: StrictObject) -> Set<Role> {
        guard let rolesClaim else { return [] }
        let value = claims[rolesClaim] ?? claims.nested(rolesClaim)
        return Set((value?.strings ?? []).compactMap { roleNames[$0] })
    }
}

extension StrictObject {
    /// The member at a path of names that are separated by dots.
    fileprivate func nested(_ path: String) -> JSONValue? {
        let names = path.split(separator: ".", omittingEmptySubsequences: false)
        guard let first = names.first else { return nil }
        return names.dropFirst().reduce(self[String(first)]) { $0?[String($1)] }
    }
}

/// The names that issuers have for their users.
enum SubjectName {
    /// OpenID Connect Core 1.0, section 2: at most 255 characters.
    private static let scalarsMax = 255

    static func isValid(_ text: String) -> Bool {
        let scalars = text.unicodeScalars
        return (1...scalarsMax).contains(scalars.count) && scalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
    }
}

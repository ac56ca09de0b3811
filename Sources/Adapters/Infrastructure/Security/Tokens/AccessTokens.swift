package import Application

/// Verifies all access tokens that the process accepts.
///
/// A token is verified by the rules of one issuer, which its `iss` names; neither algorithm nor key come from the
/// token.
package struct AccessTokens: AccessTokenVerifier {
    private let own: SignedAccessTokens
    private let issuers: [ExternalIssuer]

    /// The names of the issuers differ from each other and from that of `own`.
    package init(own: SignedAccessTokens, issuers: [ExternalIssuer]) {
        self.own = own
        self.issuers = issuers
    }

    package func check(_ token: String) -> AccessTokenCheck {
        do throws(AccessTokenFault) {
            if let verified = try own.verifyOwnForm(token) { return .valid(verified) }
            let parsed = try CompactJWS(token)
            guard let issuer = try issuer(of: parsed) else { return .valid(try own.verify(parsed)) }
            guard let verified = try issuer.verify(parsed, hasPresentKeys: false) else { return .undecided }
            return .valid(verified)
        } catch {
            return .invalid(error)
        }
    }

    package func verify(_ token: String) async throws(AccessTokenFailure) -> VerifiedToken {
        switch check(token) {
        case .valid(let verified): return verified
        case .invalid(let fault): throw .invalid(fault)
        case .undecided: return try await verifyWithPresentKeys(token)
        }
    }

    private func verifyWithPresentKeys(_ token: String) async throws(AccessTokenFailure) -> VerifiedToken {
        do throws(AccessTokenFault) {
            let parsed = try CompactJWS(token)
            guard let issuer = try issuer(of: parsed) else { throw .issuer }
            let isPresent = await issuer.keys.refresh()
            if let verified = try issuer.verify(parsed, hasPresentKeys: isPresent) { return verified }
        } catch {
            throw .invalid(error)
        }
        throw .keysUnavailable
    }

    /// The external issuer that a token names; nil for Lemma itself.
    private func issuer(of token: CompactJWS) throws(AccessTokenFault) -> ExternalIssuer? {
        let name = token.claims.string("iss")
        if name == own.issuer { return nil }
        guard let issuer = issuers.first(where: { $0.rules.name == name }) else { throw .issuer }
        return issuer
    }
}

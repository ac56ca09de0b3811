package import Domain
package import Shared

/// Issues access tokens of Lemma's own.
package protocol AccessTokenIssuer: Sendable {
    func issue(for account: Account, in session: SessionID) -> AccessToken
}

/// A signed token for a short time.
package struct AccessToken: Sendable {
    /// As it follows `Bearer `; secret.
    package let text: String
    package let expiresIn: Duration

    package init(text: String, expiresIn: Duration) {
        self.text = text
        self.expiresIn = expiresIn
    }
}

/// Makes the opaque secrets of refresh tokens and API keys.
package protocol CredentialMint: Sendable {
    /// A new refresh token of a session: its text, and the digest to store.
    func refreshToken(of session: SessionID) -> MintedCredential
    /// Session and digest of a refresh token; nil for a text of another form.
    func readRefreshToken(_ text: String) -> (session: SessionID, digest: Fingerprint)?
    /// A new API key: its text, and the digest to store.
    func apiKey() -> MintedCredential
    /// The digest of an API key; nil for a text of another form, such as a key with a typing error.
    func readAPIKey(_ text: String) -> Fingerprint?
}

package struct MintedCredential: Sendable {
    /// Secret; shown to its owner once.
    package let text: String
    package let digest: Fingerprint

    package init(text: String, digest: Fingerprint) {
        self.text = text
        self.digest = digest
    }
}

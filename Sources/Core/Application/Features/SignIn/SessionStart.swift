internal import Domain
package import Shared

/// Begins sessions: stores the first refresh token of a family and issues its first access token.
package struct SessionStart {
    private let sessions: any SessionRepository
    private let issuer: any AccessTokenIssuer
    private let mint: any CredentialMint
    private let identifiers: IdentifierFactory
    private let clock: any WallClock
    private let lifetime: Duration

    /// `lifetime` is how long a session can be refreshed.
    package init(
        sessions: any SessionRepository,
        issuer: any AccessTokenIssuer,
        mint: any CredentialMint,
        identifiers: IdentifierFactory,
        clock: any WallClock,
        lifetime: Duration
    ) {
        self.sessions = sessions
        self.issuer = issuer
        self.mint = mint
        self.identifiers = identifiers
        self.clock = clock
        self.lifetime = lifetime
    }

    func begin(_ account: Account) async throws(RepositoryFailure) -> SessionCredentials {
        let session: SessionID = identifiers.make()
        let token = mint.refreshToken(of: session)
        let now = clock.now()
        try await sessions.begin(
            session,
            of: account.id,
            token: token.digest,
            at: now,
            expiresAt: now.advanced(by: lifetime),
        )
        return SessionCredentials(
            account: account,
            accessToken: issuer.issue(for: account, in: session),
            refreshToken: token.text,
            refreshExpiresIn: lifetime,
        )
    }
}

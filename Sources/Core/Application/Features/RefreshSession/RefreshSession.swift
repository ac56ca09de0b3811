package import Domain
package import Shared

/// Exchanges a refresh token for the next one and a new access token.
///
/// A spent token may come once more within ``RefreshSessionHandler/repeatTime``, because the reply may have been lost. Any
/// other second use ends the session: the client or a thief uses a copy.
package struct RefreshSession: Command {
    /// Secret; not validated yet.
    package let refreshToken: String?

    package init(refreshToken: String?) { self.refreshToken = refreshToken }

    package typealias Output = SessionCredentials

    package enum Failure: Error, Equatable {
        /// There are no accounts with passwords, and so no sessions.
        case off
        case invalid(ValidationFailure)
        /// Malformed, unknown, void or expired, or its session was revoked before.
        case rejected
        /// The session of this account was revoked by this call.
        case reused(AccountID)
        /// Whether the token was spent is unknown; the client presents it again.
        case unavailable
    }
}

package struct RefreshSessionHandler: CommandHandler {
    /// How long a spent token may come once more.
    package static let repeatTime = Duration.seconds(10)

    private let policy: RegistrationPolicy
    private let sessions: any SessionRepository
    private let issuer: any AccessTokenIssuer
    private let mint: any CredentialMint
    private let clock: any WallClock

    package init(
        policy: RegistrationPolicy,
        sessions: any SessionRepository,
        issuer: any AccessTokenIssuer,
        mint: any CredentialMint,
        clock: any WallClock
    ) {
        self.policy = policy
        self.sessions = sessions
        self.issuer = issuer
        self.mint = mint
        self.clock = clock
    }

    package func handle(_ command: RefreshSession) async throws(RefreshSession.Failure) -> SessionCredentials {
        guard policy != .off else { throw .off }
        guard let text = command.refreshToken else {
            let error = ValidationFailure.FieldError(field: "refreshToken", message: "is required")
            throw .invalid(ValidationFailure([error]))
        }
        guard let presented = mint.readRefreshToken(text) else { throw .rejected }
        let next = mint.refreshToken(of: presented.session)
        let now = clock.now()
        let result: RotationResult
        do {
            result = try await sessions.rotate(
                presented.session,
                presented: presented.digest,
                next: next.digest,
                at: now,
                repeatTime: Self.repeatTime,
            )
        } catch {
            throw .unavailable
        }
        switch result {
        case .rotated(let account, let end):
            return SessionCredentials(
                account: account,
                accessToken: issuer.issue(for: account, in: presented.session),
                refreshToken: next.text,
                refreshExpiresIn: max(.zero, end - now),
            )
        case .reused(let account): throw .reused(account)
        case .invalid: throw .rejected
        }
    }
}

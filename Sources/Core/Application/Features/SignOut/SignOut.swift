package import Shared

/// Ends the session of a refresh token.
///
/// Without effect for an unknown or spent token (RFC 7009, section 2.2): what the client wants has been reached.
package struct SignOut: Command {
    /// Secret; not validated yet.
    package let refreshToken: String?

    package init(refreshToken: String?) { self.refreshToken = refreshToken }

    /// The account whose session ended by this call.
    package typealias Output = AccountID?

    package enum Failure: Error, Equatable {
        case invalid(ValidationFailure)
        case unavailable
    }
}

package struct SignOutHandler: CommandHandler {
    private let sessions: any SessionRepository
    private let mint: any CredentialMint

    package init(sessions: any SessionRepository, mint: any CredentialMint) {
        self.sessions = sessions
        self.mint = mint
    }

    package func handle(_ command: SignOut) async throws(SignOut.Failure) -> AccountID? {
        guard let text = command.refreshToken else {
            let error = ValidationFailure.FieldError(field: "refreshToken", message: "is required")
            throw .invalid(ValidationFailure([error]))
        }
        guard let presented = mint.readRefreshToken(text) else { return nil }
        do {
            return try await sessions.revoke(presented.session, presented: presented.digest)
        } catch {
            throw .unavailable
        }
    }
}

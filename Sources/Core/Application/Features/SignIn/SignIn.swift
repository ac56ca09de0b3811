package import Domain
package import Shared

/// Begins a session by e-mail address and password.
///
/// An unknown address, a wrong password and a disabled account are one reply after the same work, as the OWASP
/// Authentication Cheat Sheet advises; ``Rejection`` is for the audit log alone.
package struct SignIn: Command {
    /// Not validated yet, as is the password.
    package let email: String?
    /// Secret.
    package let password: String?
    /// The client's; empty where it is not known.
    package let address: String

    package init(email: String?, password: String?, address: String) {
        self.email = email
        self.password = password
        self.address = address
    }

    package typealias Output = SessionCredentials

    package enum Failure: Error, Equatable {
        /// There are no accounts with passwords.
        case off
        case invalid(ValidationFailure)
        case rejected(Rejection, AccountID?)
        case tooManyAttempts(LimitReached)
        /// Too many passwords wait to be compared.
        case busy
        case unavailable
    }

    /// Why there is no session.
    package enum Rejection: String, Sendable {
        case unknownAccount = "unknown_account"
        case wrongPassword = "wrong_password"
        case disabledAccount = "disabled_account"
    }
}

package struct SignInHandler: CommandHandler {
    private let policy: RegistrationPolicy
    private let accounts: any AccountRepository
    private let hashing: any PasswordHashing
    private let attempts: any CredentialAttempts
    private let sessions: SessionStart

    package init(
        policy: RegistrationPolicy,
        accounts: any AccountRepository,
        hashing: any PasswordHashing,
        attempts: any CredentialAttempts,
        sessions: SessionStart
    ) {
        self.policy = policy
        self.accounts = accounts
        self.hashing = hashing
        self.attempts = attempts
        self.sessions = sessions
    }

    package func handle(_ command: SignIn) async throws(SignIn.Failure) -> SessionCredentials {
        guard policy != .off else { throw .off }
        let (email, password) = try validated(command)
        try await admit(email, from: command.address)
        let known: PasswordAccount?
        do {
            known = try await accounts.passwordAccount(email)
        } catch {
            throw .unavailable
        }
        let result: PasswordVerification
        do {
            result = try await hashing.verify(password, against: known?.hash)
        } catch {
            throw .busy
        }
        guard let known else { throw .rejected(.unknownAccount, nil) }
        guard case .matches(let needsRehash) = result else { throw .rejected(.wrongPassword, known.account.id) }
        guard !known.account.isDisabled else { throw .rejected(.disabledAccount, known.account.id) }
        if needsRehash { await rehash(password, known) }
        do {
            return try await sessions.begin(known.account)
        } catch {
            throw .unavailable
        }
    }

    private func validated(_ command: SignIn) throws(SignIn.Failure) -> (EmailAddress, String) {
        var fields = AccountFields()
        let email = fields.email(command.email)
        let password = fields.required(command.password, as: "password", "the account's password")
        do {
            try fields.check()
        } catch {
            throw .invalid(error)
        }
        guard let email, let password else { preconditionFailure("a missing member was not noted") }
        return (email, password)
    }

    private func admit(_ email: EmailAddress, from address: String) async throws(SignIn.Failure) {
        do {
            try await attempts.admit(email, from: address)
        } catch {
            switch error {
            case .tooMany(let limit): throw .tooManyAttempts(limit)
            case .unavailable: throw .unavailable
            }
        }
    }

    /// Replaces a digest that was made with other parameters; where that fails, the next sign-in tries again.
    private func rehash(_ text: String, _ known: PasswordAccount) async {
        guard let password = try? Password(text), let hash = try? await hashing.hash(password) else { return }
        _ = try? await accounts.replacePasswordHash(of: known.account.id, known.hash, by: hash)
    }
}

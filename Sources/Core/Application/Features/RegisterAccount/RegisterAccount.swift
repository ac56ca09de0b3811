package import Domain
package import Shared

/// Makes an account with a password.
///
/// The reply tells whether an address has an account (``Failure/emailTaken``), which the throttling per address makes
/// slow to exploit; a sign-up without mail cannot avoid it.
package struct RegisterAccount: Command {
    /// Not validated yet, as are the other members.
    package let email: String?
    /// Secret.
    package let password: String?
    package let displayName: String?
    /// True where an administrator makes the account for its user, also while registration is closed.
    package let isByAdmin: Bool

    package init(email: String?, password: String?, displayName: String?, isByAdmin: Bool) {
        self.email = email
        self.password = password
        self.displayName = displayName
        self.isByAdmin = isByAdmin
    }

    package typealias Output = Account

    package enum Failure: Error, Equatable {
        /// There are no accounts with passwords.
        case off
        case closed
        case invalid(ValidationFailure)
        case emailTaken
        /// Too many passwords wait to be hashed.
        case busy
        case unavailable
    }
}

package struct RegisterAccountHandler: CommandHandler {
    private let policy: RegistrationPolicy
    private let accounts: any AccountRepository
    private let hashing: any PasswordHashing
    private let identifiers: IdentifierFactory
    private let clock: any WallClock

    package init(
        policy: RegistrationPolicy,
        accounts: any AccountRepository,
        hashing: any PasswordHashing,
        identifiers: IdentifierFactory,
        clock: any WallClock
    ) {
        self.policy = policy
        self.accounts = accounts
        self.hashing = hashing
        self.identifiers = identifiers
        self.clock = clock
    }

    package func handle(_ command: RegisterAccount) async throws(RegisterAccount.Failure) -> Account {
        switch policy {
        case .off: throw .off
        case .closed: guard command.isByAdmin else { throw .closed }
        case .open: break
        }
        let valid: RegisterAccountValidator.Valid
        do {
            valid = try RegisterAccountValidator().validate(command)
        } catch {
            throw .invalid(error)
        }
        let hash: PasswordHash
        do {
            hash = try await hashing.hash(valid.password)
        } catch {
            throw .busy
        }
        let account = Account(
            id: identifiers.make(),
            email: valid.email,
            displayName: valid.displayName?.text,
            roles: [.student],
            origin: .password,
            isDisabled: false,
            createdAt: clock.now(),
        )
        do {
            try await accounts.add(account, hash)
        } catch {
            switch error {
            case .emailTaken: throw .emailTaken
            case .unavailable: throw .unavailable
            }
        }
        return account
    }
}

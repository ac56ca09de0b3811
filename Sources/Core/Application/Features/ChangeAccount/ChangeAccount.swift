package import Domain
package import Shared

/// Changes an account's name and password, by its user.
///
/// A new password ends every other session of the account. Sessions are revoked before and after the password is replaced:
/// if the first fails nothing has changed, and the second ends a session that began with the old password meanwhile.
package struct ChangeAccount: Command {
    package let account: AccountID
    /// The session that stays signed in.
    package let session: SessionID?
    /// Not validated yet, as are the passwords; nil leaves it as it is.
    package let displayName: String?
    /// Secret.
    package let currentPassword: String?
    /// Secret.
    package let newPassword: String?
    /// The client's; empty where it is not known.
    package let address: String

    package init(
        account: AccountID,
        session: SessionID?,
        displayName: String?,
        currentPassword: String?,
        newPassword: String?,
        address: String
    ) {
        self.account = account
        self.session = session
        self.displayName = displayName
        self.currentPassword = currentPassword
        self.newPassword = newPassword
        self.address = address
    }

    package typealias Output = Account

    package enum Failure: Error, Equatable {
        case invalid(ValidationFailure)
        case wrongPassword
        case tooManyAttempts(LimitReached)
        /// Too many passwords wait to be hashed.
        case busy
        case notFound
        case unavailable
    }
}

package struct ChangeAccountHandler: CommandHandler {
    private let accounts: any AccountRepository
    private let sessions: any SessionRepository
    private let hashing: any PasswordHashing
    private let check: PasswordCheck

    package init(
        accounts: any AccountRepository,
        sessions: any SessionRepository,
        hashing: any PasswordHashing,
        check: PasswordCheck
    ) {
        self.accounts = accounts
        self.sessions = sessions
        self.hashing = hashing
        self.check = check
    }

    package func handle(_ command: ChangeAccount) async throws(ChangeAccount.Failure) -> Account {
        let valid: ChangeAccountValidator.Valid
        do {
            valid = try ChangeAccountValidator().validate(command)
        } catch {
            throw .invalid(error)
        }
        if let passwords = valid.passwords {
            try await changePassword(of: command, from: passwords.current, to: passwords.new)
        }
        let changed: Account?
        do {
            let change = AccountChange(displayName: valid.displayName)
            let isNamed = valid.displayName != nil
            changed = try await isNamed ? accounts.change(command.account, change) : accounts.find(command.account)
        } catch {
            throw .unavailable
        }
        guard let changed else { throw .notFound }
        return changed
    }

    private func changePassword(
        of command: ChangeAccount,
        from current: String,
        to new: Password
    ) async throws(ChangeAccount.Failure) {
        let former: PasswordHash
        do {
            former = try await check.check(current, of: command.account, from: command.address)
        } catch {
            throw ChangeAccount.Failure(error)
        }
        let hash: PasswordHash
        do {
            hash = try await hashing.hash(new)
        } catch {
            throw .busy
        }
        do {
            try await sessions.revokeAll(of: command.account, but: command.session)
            // Another change of the password was faster: the one that was checked is no longer right.
            guard try await accounts.replacePasswordHash(of: command.account, former, by: hash) else {
                throw ChangeAccount.Failure.wrongPassword
            }
            try await sessions.revokeAll(of: command.account, but: command.session)
        } catch let failure as ChangeAccount.Failure {
            throw failure
        } catch {
            throw .unavailable
        }
    }
}

extension ChangeAccount.Failure {
    fileprivate init(_ failure: PasswordCheck.Failure) {
        switch failure {
        case .noPassword:
            let message = "cannot be set: the account has no password, its issuer proves who its user is"
            self = .invalid(ValidationFailure([.init(field: "newPassword", message: message)]))
        case .wrong: self = .wrongPassword
        case .tooManyAttempts(let limit): self = .tooManyAttempts(limit)
        case .busy: self = .busy
        case .unavailable: self = .unavailable
        }
    }
}

internal import Domain
package import Shared

/// Erases an account with everything that belongs to it, by its user.
package struct DeleteAccount: Command {
    package let account: AccountID
    /// Secret; required where the account has a password.
    package let password: String?
    /// The client's; empty where it is not known.
    package let address: String

    package init(account: AccountID, password: String?, address: String) {
        self.account = account
        self.password = password
        self.address = address
    }

    package typealias Output = AccountRemoval.Progress

    package enum Failure: Error, Equatable {
        case invalid(ValidationFailure)
        case wrongPassword
        case tooManyAttempts(LimitReached)
        /// Too many passwords wait to be compared.
        case busy
        case notFound
        /// Nothing was erased.
        case unavailable
    }
}

package struct DeleteAccountHandler: CommandHandler {
    private let accounts: any AccountRepository
    private let check: PasswordCheck
    private let removal: AccountRemoval

    package init(accounts: any AccountRepository, check: PasswordCheck, removal: AccountRemoval) {
        self.accounts = accounts
        self.check = check
        self.removal = removal
    }

    package func handle(_ command: DeleteAccount) async throws(DeleteAccount.Failure) -> AccountRemoval.Progress {
        let account: Account?
        do {
            account = try await accounts.find(command.account)
        } catch {
            throw .unavailable
        }
        switch account?.origin {
        case .password: try await checkPassword(of: command)
        case .issuer: break
        case nil: throw .notFound
        }
        let progress: AccountRemoval.Progress?
        do {
            progress = try await removal.remove(command.account)
        } catch {
            throw .unavailable
        }
        guard let progress else { throw .notFound }
        return progress
    }

    private func checkPassword(of command: DeleteAccount) async throws(DeleteAccount.Failure) {
        guard let password = command.password else {
            let error = ValidationFailure.FieldError(field: "password", message: "is required: the account's password")
            throw .invalid(ValidationFailure([error]))
        }
        do {
            _ = try await check.check(password, of: command.account, from: command.address)
        } catch {
            switch error {
            case .noPassword: throw .notFound
            case .wrong: throw .wrongPassword
            case .tooManyAttempts(let limit): throw .tooManyAttempts(limit)
            case .busy: throw .busy
            case .unavailable: throw .unavailable
            }
        }
    }
}

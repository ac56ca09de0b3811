internal import Shared

extension APIProblem {
    /// `REGISTRATION=off`.
    static var noPasswords: APIProblem {
        APIProblem(.notFound, "There are no passwords here. Sign in at your issuer, or use an API key.")
    }

    static var wrongPassword: APIProblem { APIProblem(.wrongPassword, "The password is not the account's.") }

    static var accountsUnavailable: APIProblem {
        storeUnavailable("Accounts cannot be reached right now. Please try again.")
    }

    static var passwordsBusy: APIProblem {
        storeUnavailable("Too many passwords are being checked right now. Please try again.")
    }

    static var unknownAccount: APIProblem { APIProblem(.notFound, "There is no such account.") }
}

extension Caller {
    /// The account of a caller that ``AccessPolicy/account`` or ``AccessPolicy/admin`` admits.
    func requireAccount() throws(APIProblem) -> AccountID {
        guard let account else { throw .accessWithdrawn }
        return account
    }
}

internal import Application
internal import Shared
internal import Time

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

    /// Too many passwords were tried for one account.
    static func tooManyAttempts(_ limit: LimitReached) -> APIProblem {
        let seconds = max(1, limit.retryAfter.wholeSeconds)
        var problem = APIProblem(.rateLimited, "Too many attempts. Please try again in \(seconds) s.")
        // draft-ietf-httpapi-ratelimit-headers.
        let window = limit.window.map { ";w=\($0.wholeSeconds)" } ?? ""
        problem.headers += [
            ("Retry-After", String(seconds)), ("RateLimit", "\"\(limit.name)\";r=0;t=\(seconds)"),
            ("RateLimit-Policy", "\"\(limit.name)\";q=\(limit.quota)\(window)"),
        ]
        return problem
    }
}

extension Caller {
    /// The account of a caller that ``AccessPolicy/account`` or ``AccessPolicy/admin`` admits.
    func requireAccount() throws(APIProblem) -> AccountID {
        guard let account else { throw .accessWithdrawn }
        return account
    }
}

internal import Domain
internal import Shared

/// Checks the password of an account whose user is signed in, before what must not be done with a stolen access token.
///
/// Throttled like a login.
package struct PasswordCheck {
    private let accounts: any AccountRepository
    private let hashing: any PasswordHashing
    private let attempts: any CredentialAttempts

    package init(accounts: any AccountRepository, hashing: any PasswordHashing, attempts: any CredentialAttempts) {
        self.accounts = accounts
        self.hashing = hashing
        self.attempts = attempts
    }

    package enum Failure: Error, Equatable {
        /// The account has no password: an issuer proves its user's identity.
        case noPassword
        case wrong
        case tooManyAttempts(LimitReached)
        /// Too many passwords wait to be hashed.
        case busy
        case unavailable
    }

    /// Returns the digest that `password` matches; `address` is the client's.
    func check(_ password: String, of id: AccountID, from address: String) async throws(Failure) -> PasswordHash {
        let known: PasswordAccount?
        do {
            known = try await accounts.passwordAccount(id)
        } catch {
            throw .unavailable
        }
        guard let known, let email = known.account.email else { throw .noPassword }
        do {
            try await attempts.admit(email, from: address)
        } catch {
            switch error {
            case .tooMany(let limit): throw .tooManyAttempts(limit)
            case .unavailable: throw .unavailable
            }
        }
        do {
            guard case .matches = try await hashing.verify(password, against: known.hash) else { throw Failure.wrong }
        } catch let failure as Failure {
            throw failure
        } catch {
            throw .busy
        }
        return known.hash
    }
}

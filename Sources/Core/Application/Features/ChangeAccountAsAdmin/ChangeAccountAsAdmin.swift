package import Domain
package import Shared

/// Locks an account out, lets it in again, or changes its roles.
///
/// An administrator cannot disable itself nor take its own role, so the administrator that acts remains: the last one
/// cannot be lost by these changes. Two that take each other's role at the same moment can lose both; an operator then
/// grants the role by command.
package struct ChangeAccountAsAdmin: Command {
    package let admin: AccountID
    package let account: AccountID
    /// Nil leaves it as it is.
    package let isDisabled: Bool?
    /// Not validated yet; nil leaves them as they are.
    ///
    /// Every account is a student, named or not.
    package let roles: [String]?

    package init(admin: AccountID, account: AccountID, isDisabled: Bool?, roles: [String]?) {
        self.admin = admin
        self.account = account
        self.isDisabled = isDisabled
        self.roles = roles
    }

    package struct Output: Sendable {
        package let former: Account
        package let changed: Account
    }

    package enum Failure: Error, Equatable {
        case invalid(ValidationFailure)
        case notFound
        case unavailable
    }
}

package struct ChangeAccountAsAdminHandler: CommandHandler {
    private let accounts: any AccountRepository

    package init(accounts: any AccountRepository) { self.accounts = accounts }

    package func handle(
        _ command: ChangeAccountAsAdmin
    ) async throws(ChangeAccountAsAdmin.Failure) -> ChangeAccountAsAdmin.Output {
        do {
            guard let former = try await accounts.find(command.account) else {
                throw ChangeAccountAsAdmin.Failure.notFound
            }
            let change = try ChangeAccountAsAdminValidator(former: former).validate(command)
            guard let changed = try await accounts.change(command.account, change) else {
                throw ChangeAccountAsAdmin.Failure.notFound
            }
            return ChangeAccountAsAdmin.Output(former: former, changed: changed)
        } catch let failure as ChangeAccountAsAdmin.Failure {
            throw failure
        } catch let failure as ValidationFailure {
            throw .invalid(failure)
        } catch {
            throw .unavailable
        }
    }
}

package import Shared

/// Erases an account with everything that belongs to it, by an administrator.
///
/// Not the administrator's own account, which has its own route and asks for its password.
package struct DeleteAccountAsAdmin: Command {
    package let admin: AccountID
    package let account: AccountID

    package init(admin: AccountID, account: AccountID) {
        self.admin = admin
        self.account = account
    }

    package typealias Output = AccountRemoval.Progress

    package enum Failure: Error, Equatable {
        case ownAccount
        case notFound
        /// Nothing was erased.
        case unavailable
    }
}

package struct DeleteAccountAsAdminHandler: CommandHandler {
    private let removal: AccountRemoval

    package init(removal: AccountRemoval) { self.removal = removal }

    package func handle(
        _ command: DeleteAccountAsAdmin
    ) async throws(DeleteAccountAsAdmin.Failure) -> AccountRemoval.Progress {
        guard command.account != command.admin else { throw .ownAccount }
        let progress: AccountRemoval.Progress?
        do {
            progress = try await removal.remove(command.account)
        } catch {
            throw .unavailable
        }
        guard let progress else { throw .notFound }
        return progress
    }
}

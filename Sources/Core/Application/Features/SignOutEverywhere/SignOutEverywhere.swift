package import Shared

/// Ends every session of an account; access tokens live until they expire.
package struct SignOutEverywhere: Command {
    package let account: AccountID

    package init(account: AccountID) { self.account = account }

    package typealias Output = Void
    package typealias Failure = RepositoryFailure
}

package struct SignOutEverywhereHandler: CommandHandler {
    private let sessions: any SessionRepository

    package init(sessions: any SessionRepository) { self.sessions = sessions }

    package func handle(_ command: SignOutEverywhere) async throws(RepositoryFailure) {
        try await sessions.revokeAll(of: command.account, but: nil)
    }
}

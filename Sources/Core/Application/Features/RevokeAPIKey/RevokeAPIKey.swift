internal import Domain
package import Shared

/// Revokes an API key for good.
package struct RevokeAPIKey: Command {
    package let id: APIKeyID
    package let owner: AccountID

    package init(id: APIKeyID, owner: AccountID) {
        self.id = id
        self.owner = owner
    }

    package typealias Output = Void

    package enum Failure: Error, Equatable {
        /// Unknown, another account's, or revoked before.
        case notFound
        case unavailable
    }
}

package struct RevokeAPIKeyHandler: CommandHandler {
    private let keys: any APIKeyRepository
    private let clock: any WallClock

    package init(keys: any APIKeyRepository, clock: any WallClock) {
        self.keys = keys
        self.clock = clock
    }

    package func handle(_ command: RevokeAPIKey) async throws(RevokeAPIKey.Failure) {
        let revoked: APIKey?
        do {
            revoked = try await keys.revoke(command.id, of: command.owner, at: clock.now())
        } catch {
            throw .unavailable
        }
        guard revoked != nil else { throw .notFound }
    }
}

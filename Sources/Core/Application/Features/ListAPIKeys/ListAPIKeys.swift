package import Domain
package import Shared

/// Lists the API keys of an account, the newest first; revoked ones are not listed.
package struct ListAPIKeys: Query {
    package let owner: AccountID

    package init(owner: AccountID) { self.owner = owner }

    package typealias Output = [APIKey]
    package typealias Failure = RepositoryFailure
}

package struct ListAPIKeysHandler: QueryHandler {
    private let keys: any APIKeyRepository

    package init(keys: any APIKeyRepository) { self.keys = keys }

    package func handle(_ query: ListAPIKeys) async throws(RepositoryFailure) -> [APIKey] {
        try await keys.list(of: query.owner)
    }
}

package import Domain
package import Shared

/// Lists accounts for an administrator, the newest first.
package struct ListAccounts: Query {
    /// Part of an e-mail address, in any case; nil for all accounts.
    package let email: String?
    /// The last account of the previous page; nil for the first page.
    package let place: AccountID?
    package let size: PageSize

    package init(email: String?, place: AccountID?, size: PageSize) {
        self.email = email
        self.place = place
        self.size = size
    }

    package typealias Output = Page<Account, AccountID>
    package typealias Failure = RepositoryFailure
}

package struct ListAccountsHandler: QueryHandler {
    private let accounts: any AccountRepository

    package init(accounts: any AccountRepository) { self.accounts = accounts }

    package func handle(_ query: ListAccounts) async throws(RepositoryFailure) -> ListAccounts.Output {
        // One more shows whether there is a next page.
        let limit = query.size.count + 1
        let found = try await accounts.list(email: query.email?.lowercased(), after: query.place, limit: limit)
        let items = Array(found.prefix(query.size.count))
        return Page(items: items, next: found.count > items.count ? items.last?.id : nil)
    }
}

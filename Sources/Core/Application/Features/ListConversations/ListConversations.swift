package import Domain
package import Shared

/// Lists a user's conversations, the most recently changed first.
package struct ListConversations: Query {
    package let userID: UserID
    /// The last conversation of the previous page; nil for the first page.
    package let place: ConversationPlace?
    package let size: PageSize

    package init(userID: UserID, place: ConversationPlace?, size: PageSize) {
        self.userID = userID
        self.place = place
        self.size = size
    }

    package typealias Output = Page<Conversation, ConversationPlace>
    package typealias Failure = RepositoryFailure
}

package struct ListConversationsHandler: QueryHandler {
    private let conversations: any ConversationRepository

    package init(conversations: any ConversationRepository) { self.conversations = conversations }

    package func handle(_ query: ListConversations) async throws(RepositoryFailure) -> ListConversations.Output {
        // One more shows whether there is a next page.
        let found = try await conversations.list(of: query.userID, after: query.place, limit: query.size.count + 1)
        let items = Array(found.prefix(query.size.count))
        let last = found.count > items.count ? items.last : nil
        return Page(items: items, next: last.map { ConversationPlace(updatedAt: $0.updatedAt, id: $0.id) })
    }
}

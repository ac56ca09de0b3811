package import Domain
package import Shared

/// Reads one conversation of a user.
package struct ReadConversation: Query {
    package let id: ConversationID
    package let userID: UserID

    package init(id: ConversationID, userID: UserID) {
        self.id = id
        self.userID = userID
    }

    package typealias Output = Conversation

    package enum Failure: Error, Equatable {
        case notFound
        case unavailable
    }
}

package struct ReadConversationHandler: QueryHandler {
    private let lookup: ConversationLookup

    package init(lookup: ConversationLookup) { self.lookup = lookup }

    package func handle(_ query: ReadConversation) async throws(ReadConversation.Failure) -> Conversation {
        let found: Conversation?
        do {
            found = try await lookup.find(query.id, of: query.userID)
        } catch {
            throw .unavailable
        }
        guard let found else { throw .notFound }
        return found
    }
}

package import Domain
package import Shared

/// Changes the title of a conversation.
package struct RenameConversation: Command {
    package let id: ConversationID
    package let userID: UserID
    /// Not validated yet; nil is an error.
    package let title: String?

    package init(id: ConversationID, userID: UserID, title: String?) {
        self.id = id
        self.userID = userID
        self.title = title
    }

    package typealias Output = Conversation

    package enum Failure: Error, Equatable {
        case invalid(ValidationFailure)
        case notFound
        case unavailable
    }
}

package struct RenameConversationHandler: CommandHandler {
    private let validator: ConversationTitleValidator
    private let conversations: any ConversationRepository
    private let lookup: ConversationLookup
    private let clock: any WallClock

    package init(
        validator: ConversationTitleValidator = ConversationTitleValidator(),
        conversations: any ConversationRepository,
        lookup: ConversationLookup,
        clock: any WallClock
    ) {
        self.validator = validator
        self.conversations = conversations
        self.lookup = lookup
        self.clock = clock
    }

    package func handle(_ command: RenameConversation) async throws(RenameConversation.Failure) -> Conversation {
        let title: String
        do throws(ValidationFailure) {
            guard let text = command.title else {
                throw ValidationFailure([.init(field: "title", message: "is required: the new title, as text")])
            }
            title = try validator.validate(text).text
        } catch {
            throw .invalid(error)
        }
        let renamed: Conversation?
        do {
            let exists = try await lookup.find(command.id, of: command.userID) != nil
            let (id, user) = (command.id, command.userID)
            renamed = exists ? try await conversations.rename(id, of: user, to: title, at: clock.now()) : nil
        } catch {
            throw .unavailable
        }
        guard let renamed else { throw .notFound }
        return renamed
    }
}

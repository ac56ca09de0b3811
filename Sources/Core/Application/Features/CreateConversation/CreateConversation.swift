package import Domain
package import Shared

/// Creates a conversation before its first problem.
package struct CreateConversation: Command {
    package let userID: UserID
    /// Not validated yet; nil leaves the conversation without a title.
    package let title: String?

    package init(userID: UserID, title: String?) {
        self.userID = userID
        self.title = title
    }

    package typealias Output = Conversation

    package enum Failure: Error, Equatable {
        case invalid(ValidationFailure)
        case unavailable
    }
}

package struct CreateConversationHandler: CommandHandler {
    private let validator: ConversationTitleValidator
    private let conversations: any ConversationRepository
    private let identifiers: IdentifierFactory
    private let clock: any WallClock

    package init(
        validator: ConversationTitleValidator = ConversationTitleValidator(),
        conversations: any ConversationRepository,
        identifiers: IdentifierFactory,
        clock: any WallClock
    ) {
        self.validator = validator
        self.conversations = conversations
        self.identifiers = identifiers
        self.clock = clock
    }

    package func handle(_ command: CreateConversation) async throws(CreateConversation.Failure) -> Conversation {
        let title: ConversationTitle?
        do {
            title = try command.title.map { text throws(ValidationFailure) in try validator.validate(text) }
        } catch {
            throw .invalid(error)
        }
        let now = clock.now()
        let conversation = Conversation(
            id: identifiers.make(),
            userID: command.userID,
            title: title?.text,
            createdAt: now,
            updatedAt: now,
        )
        do {
            try await conversations.create(conversation)
        } catch {
            throw .unavailable
        }
        return conversation
    }
}

package import Shared

/// Deletes a conversation with its messages, and cancels its requests.
///
/// A failure may leave it half done; a repetition completes it.
package struct DeleteConversation: Command {
    package let id: ConversationID
    package let userID: UserID

    package init(id: ConversationID, userID: UserID) {
        self.id = id
        self.userID = userID
    }

    package typealias Output = Void

    package enum Failure: Error, Equatable {
        case notFound
        case unavailable
    }
}

package struct DeleteConversationHandler: CommandHandler {
    private let conversations: any ConversationRepository
    private let activity: any ConversationActivity
    private let clock: any WallClock

    package init(
        conversations: any ConversationRepository,
        activity: any ConversationActivity,
        clock: any WallClock
    ) {
        self.conversations = conversations
        self.activity = activity
        self.clock = clock
    }

    package func handle(_ command: DeleteConversation) async throws(DeleteConversation.Failure) {
        let isDeleted: Bool
        do {
            // Read first: nothing is cancelled while the archive cannot delete the conversation.
            let isArchived = try await conversations.find(command.id, of: command.userID) != nil
            // End running requests first; if a later step fails, the client can retry because the conversation still exists.
            let isActive = try await activity.beginDeletion(of: command.id, by: command.userID, isArchived: isArchived)
            guard isArchived || isActive else { throw DeleteConversation.Failure.notFound }
            isDeleted = try await conversations.delete(
                command.id,
                of: command.userID,
                isExpected: isActive,
                at: clock.now(),
            )
        } catch let failure as DeleteConversation.Failure {
            throw failure
        } catch {
            throw .unavailable
        }
        guard isDeleted else { throw .notFound }
    }
}

package import Shared

/// Problems of one user in one thread: each answer has the earlier turns as its context.
package struct Conversation: Sendable, Hashable {
    package let id: ConversationID
    package let userID: UserID
    /// Set by the user, or derived from the first problem; nil where there is neither.
    package let title: String?
    package let createdAt: Timestamp
    /// The last change of the title or of the messages.
    package let updatedAt: Timestamp

    package init(id: ConversationID, userID: UserID, title: String?, createdAt: Timestamp, updatedAt: Timestamp) {
        self.id = id
        self.userID = userID
        self.title = title
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }
}

/// A problem of a conversation with its answer, as the context of later problems.
package struct ConversationTurn: Sendable, Hashable {
    package let correlationID: CorrelationID
    package let problem: String
    /// Incomplete where ``isPartial`` is true.
    package let answer: String
    /// True where the request failed or was cancelled.
    package let isPartial: Bool

    package init(correlationID: CorrelationID, problem: String, answer: String, isPartial: Bool = false) {
        self.correlationID = correlationID
        self.problem = problem
        self.answer = answer
        self.isPartial = isPartial
    }
}

/// The turns that a provider is sent before a new problem.
package struct ConversationContext: Sendable, Hashable {
    /// Oldest first; whole turns only.
    package let turns: [ConversationTurn]
    /// True where earlier turns are omitted; the provider's request then says so.
    package let omitsEarlierTurns: Bool

    package init(turns: [ConversationTurn], omitsEarlierTurns: Bool) {
        self.turns = turns
        self.omitsEarlierTurns = omitsEarlierTurns
    }

    /// The context of a conversation's first problem.
    package static let empty = ConversationContext(turns: [], omitsEarlierTurns: false)
}

package import Shared

/// Problems of one user that belong together: an answer may build on the ones before it.
package struct Conversation: Sendable, Hashable {
    package let id: ConversationID
    package let userID: UserID
    /// Chosen by the user, or taken from the first question; nil where there is neither.
    package let title: String?
    package let createdAt: Timestamp
    /// The last change of the title or of what was asked and answered.
    package let updatedAt: Timestamp

    package init(id: ConversationID, userID: UserID, title: String?, createdAt: Timestamp, updatedAt: Timestamp) {
        self.id = id
        self.userID = userID
        self.title = title
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }
}

/// A question of a conversation with its answer, as a later question's provider is given it.
package struct ConversationTurn: Sendable, Hashable {
    package let correlationID: CorrelationID
    package let problem: String
    /// What there was of the answer.
    package let answer: String
    /// True where the request failed or was cancelled: the answer breaks off.
    package let isPartial: Bool

    package init(correlationID: CorrelationID, problem: String, answer: String, isPartial: Bool = false) {
        self.correlationID = correlationID
        self.problem = problem
        self.answer = answer
        self.isPartial = isPartial
    }
}

/// The part of a conversation that goes to a provider before a new question.
package struct ConversationContext: Sendable, Hashable {
    /// Oldest first; whole turns only.
    package let turns: [ConversationTurn]
    /// True where earlier turns were left out: the provider is told so in their place.
    package let omitsEarlierTurns: Bool

    package init(turns: [ConversationTurn], omitsEarlierTurns: Bool) {
        self.turns = turns
        self.omitsEarlierTurns = omitsEarlierTurns
    }

    /// Of a conversation's first question.
    package static let empty = ConversationContext(turns: [], omitsEarlierTurns: false)
}

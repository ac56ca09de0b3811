package import Shared

/// A question or an answer, as a conversation shows it.
package struct ConversationMessage: Sendable, Hashable {
    package enum Role: String, Sendable, CaseIterable {
        case user
        case assistant
    }

    /// A question has its request's id, an answer one of its own; lower-case UUIDs.
    package let id: String
    package let role: Role
    /// Of an answer that failed or was cancelled what there was of it.
    package let content: String
    package let correlationID: CorrelationID
    /// The request's.
    package let status: RequestStatus
    package let createdAt: Timestamp

    package static func question(
        of request: MathRequest,
        _ status: RequestStatus,
        at time: Timestamp
    ) -> ConversationMessage {
        ConversationMessage(
            id: request.correlationID.description,
            role: .user,
            content: request.problem.text,
            correlationID: request.correlationID,
            status: status,
            createdAt: time,
        )
    }

    /// Question and answer, in this order.
    package static func all(of finished: FinishedRequest, answerID: ResponseID) -> [ConversationMessage] {
        let answer = ConversationMessage(
            id: answerID.description,
            role: .assistant,
            content: finished.answer,
            correlationID: finished.request.correlationID,
            status: finished.status,
            createdAt: finished.finishedAt,
        )
        return [.question(of: finished.request, finished.status, at: finished.createdAt), answer]
    }
}

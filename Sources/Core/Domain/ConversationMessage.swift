package import Shared

/// A message of a conversation: a problem or an answer.
package struct ConversationMessage: Sendable, Hashable {
    package enum Role: String, Sendable, CaseIterable {
        case user
        case assistant
    }

    /// The request's id for a problem, the response's id for an answer; a lower-case UUID.
    package let id: String
    package let role: Role
    /// Incomplete for an answer that failed or was cancelled.
    package let content: String
    package let correlationID: CorrelationID
    /// The status of the request.
    package let status: RequestStatus
    package let createdAt: Timestamp

    package static func problem(
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

    /// The problem, then the answer.
    package static func all(of finished: FinishedRequest, answerID: ResponseID) -> [ConversationMessage] {
        let answer = ConversationMessage(
            id: answerID.description,
            role: .assistant,
            content: finished.answer,
            correlationID: finished.request.correlationID,
            status: finished.status,
            createdAt: finished.finishedAt,
        )
        return [.problem(of: finished.request, finished.status, at: finished.createdAt), answer]
    }
}

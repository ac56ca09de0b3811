package import Shared

/// Appends attempts' text to the event logs of their requests.
package protocol AnswerLogWriter {
    /// A writer for a claimed attempt, whose marker is stored already.
    func writer(for claim: JobClaim) -> any AnswerWriter
}

/// Writes one attempt's text.
///
/// At most one append is in flight; text that arrives meanwhile is joined into the next event. Nothing is dropped: text
/// that cannot be written now is queued and written later, or ``onFailure`` reports why it never is.
package protocol AnswerWriter: AnyObject {
    /// Enqueues text of the answer. Never waits.
    func append(_ kind: AnswerText, _ text: String)
    /// False while more than the writer's limit is queued.
    var hasRoom: Bool { get }
    /// Waits until less than the writer's limit is queued; throws when the attempt is over for this writer.
    func waitForRoom() async throws(AnswerWriteFailure)
    /// Waits until everything is stored, and returns the last event's id.
    func flush() async throws(AnswerWriteFailure) -> EventID
    /// Called once, when the attempt is over for this writer.
    var onFailure: ((AnswerWriteFailure) -> Void)? { get set }
}

/// The two kinds of text a model returns.
package enum AnswerText: Sendable {
    case token
    /// The model's thinking; not part of the answer.
    case reasoning
}

package enum AnswerWriteFailure: Error, Equatable {
    /// A newer attempt has begun: stop at once and write nothing more.
    case fenced
    /// The log expired or was deleted.
    case gone
    /// The store lost events that it had acknowledged: begin a new attempt.
    case historyLost
    /// The store rejects the attempt's text permanently. The detail is for operators.
    case refused(detail: String)
    /// The waiting task was cancelled.
    case cancelled
}

package import Domain
package import Shared

/// The events of requests, live and from the start.
///
/// Delivery to a viewer: every stored event after its cursor exactly once and in order, however often the connection
/// behind it breaks. What is pushed is only a hint; what is stored is the truth.
package protocol AnswerStream {
    /// Begins to deliver to `viewer`, which is held until ``AnswerSubscription/cancel()`` or its end.
    func watch(
        _ request: RequestRecord,
        after cursor: EventID?,
        viewer: any AnswerViewer
    ) -> any AnswerSubscription

    /// What is delivered of a request whose events have expired: its answer in one `token`, where there is one and it is
    /// wanted, and its end, with ``FinishedRequest/replayIDs``.
    func replay(of finished: FinishedRequest, withAnswer: Bool) -> [AnswerEvent]

    /// A writer for a claimed attempt, whose marker is stored already.
    func writer(for claim: JobClaim) -> any AnswerWriter
}

/// Someone who watches an answer.
///
/// Called on the viewer's own loop.
///
/// One dynamic call for each event and viewer crosses this seam; it costs about 1 % of the write that follows it.
package protocol AnswerViewer: AnyObject {
    /// Takes one event.
    func deliver(_ event: AnswerEvent)
    /// Whether the viewer's buffer can take `event`. Where not, deliveries stop until ``AnswerSubscription/resume()``.
    func hasRoom(for event: AnswerEvent) -> Bool
    /// No event follows: the terminal event was delivered, or the stream is gone.
    func answerDidEnd(_ end: AnswerEnd)
}

package enum AnswerEnd: Sendable, Equatable {
    /// The terminal event has been delivered.
    case terminal
    /// The stored events are gone, by expiry or by loss.
    case gone
}

/// A viewer's place at a stream.
package protocol AnswerSubscription: AnyObject {
    /// Ends the deliveries; idempotent.
    func cancel()
    /// Goes on after the viewer had no room.
    func resume()
}

/// Writes one attempt's text.
///
/// At most one append is under way; what arrives meanwhile is joined into the next event. Nothing is dropped: what
/// cannot be written now is kept and written later, or ``failure`` says why never.
package protocol AnswerWriter: AnyObject {
    /// Queues text of the answer. Never waits.
    func append(_ kind: AnswerText, _ text: String)
    /// False while more than the writer's limit is queued.
    var hasRoom: Bool { get }
    /// Waits until less than the writer's limit is queued; throws when the attempt is over for this writer.
    func waitForRoom() async throws(AnswerWriteFailure)
    /// Waits until everything is stored, and gives the last event's id.
    func flush() async throws(AnswerWriteFailure) -> EventID
    /// Called once, when the attempt is over for this writer.
    var onFailure: ((AnswerWriteFailure) -> Void)? { get set }
}

/// The two kinds of text a model gives.
package enum AnswerText: Sendable {
    case token
    /// The model's thinking; not part of the answer.
    case reasoning
}

package enum AnswerWriteFailure: Error, Equatable {
    /// A newer attempt has begun: stop at once and write nothing more.
    case fenced
    /// The stream expired or was deleted.
    case gone
    /// The store lost events that it had acknowledged: begin a new attempt.
    case historyLost
    /// The store refuses the attempt's text for good. The detail is for operators.
    case refused(detail: String)
    /// The waiting task was cancelled.
    case cancelled
}

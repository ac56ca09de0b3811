package import Domain
package import Shared

/// Reads the event logs of requests, from any event on and live.
///
/// Delivery to a viewer: every stored event after its cursor exactly once and in order, however often the connection
/// behind it breaks. Pushes are hints; the stored events are the truth. Where the store loses events that a viewer has,
/// the viewer gets a `reset` and then every event from the first.
package protocol AnswerLogReader {
    /// Starts deliveries to `viewer`, which is retained until ``AnswerSubscription/cancel()`` or its end.
    func watch(
        _ record: RequestRecord,
        from start: AnswerStart,
        viewer: any AnswerViewer
    ) -> any AnswerSubscription

    /// The same for a request that was accepted just now: its `queued` event is delivered before this returns, without a
    /// read, and what follows it as the store has it.
    func watch(_ accepted: AcceptedRequest, viewer: any AnswerViewer) -> any AnswerSubscription

    /// The events of a request whose log has expired: its answer in one `token`, where it has one, and its terminal event,
    /// with ``FinishedRequest/replayIDs``.
    func replay(of finished: FinishedRequest, from start: ReplayStart) -> [AnswerEvent]
}

/// Where deliveries start.
package enum AnswerStart: Sendable, Equatable {
    /// With the first event.
    case first
    /// With a `reset`, then the first event: the viewer has events that the store has lost.
    case reset
    /// With the event after this one.
    case after(EventID)
}

/// Where the replay of an archived answer starts.
package enum ReplayStart: Sendable, Equatable {
    /// With the answer.
    case answer
    /// With a `reset`, then the answer: the viewer has events that are gone.
    case reset
    /// With the terminal event: the viewer has the answer.
    case end
}

/// Receives the events of one request, on its own loop.
///
/// One dynamic call for each event and viewer crosses this seam; it costs about 1 % of the write that follows it.
package protocol AnswerViewer: AnyObject {
    /// Takes one event if the viewer's buffer has room for it. If not, deliveries stop until
    /// ``AnswerSubscription/resume()``.
    func offer(_ event: AnswerEvent) -> Bool
    /// Takes one event, with or without room: a `reset`, and what does not come from a log.
    func deliver(_ event: AnswerEvent)
    /// No event follows: the terminal event was delivered, or the log is gone.
    func answerDidEnd(_ end: AnswerEnd)
}

package enum AnswerEnd: Sendable, Equatable {
    /// The terminal event has been delivered.
    case terminal
    /// The stored events are gone: expired or lost.
    case gone
}

/// One viewer's deliveries.
package protocol AnswerSubscription: AnyObject {
    /// Ends the deliveries; idempotent.
    func cancel()
    /// Continues after the viewer had no room.
    func resume()
}

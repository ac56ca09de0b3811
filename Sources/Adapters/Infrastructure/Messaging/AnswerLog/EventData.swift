internal import Application
internal import Domain
internal import Problems
internal import Shared
internal import Text

/// The JSON of every event of a stream (contract, section 5): the one place that composes it.
///
/// What only Redis knows is a hole of an ``EventTemplate``.
enum EventData {
    // MARK: Before and between attempts

    /// `queued`; hole 1 is the position.
    static func queued(_ id: CorrelationID, in conversation: ConversationID) -> EventTemplate {
        EventTemplate(
            JSONWriter.object { json in
                json.member("correlationId", id.description)
                json.member("conversationId", conversation.description)
                json.member("position", json: EventTemplate.number(1))
            }
        )
    }

    static func queued(_ request: MathRequest, position: Int) -> [UInt8] {
        queued(request.correlationID, in: request.conversationID).filled(String(position))
    }

    /// The position in the data of `queued`; nil for data of another form.
    static func position(in data: [UInt8]) -> Int? {
        guard data.last == UInt8(ascii: "}") else { return nil }
        let digits = data.dropLast().reversed().prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        return Int(String(decoding: Array(digits.reversed()), as: UTF8.self))
    }

    /// `started`; hole 1 is the attempt.
    static func started(_ plan: AttemptPlan) -> EventTemplate {
        EventTemplate(
            JSONWriter.object { json in
                json.member("attempt", json: EventTemplate.number(1))
                write(plan, &json)
            }
        )
    }

    /// `restarted`; hole 1 is the attempt, hole 2 the reason.
    static func restarted(_ plan: AttemptPlan) -> EventTemplate {
        EventTemplate(
            JSONWriter.object { json in
                json.member("attempt", json: EventTemplate.number(1))
                json.member("reason", json: EventTemplate.string(2))
                write(plan, &json)
            }
        )
    }

    private static func write(_ plan: AttemptPlan, _ json: inout JSONWriter) {
        json.member("provider", plan.provider)
        json.member("model", plan.model)
    }

    /// `cancelled` of a request that no worker runs; hole 1 is the number of attempts.
    static func cancelledBetweenAttempts(_ reason: CancelReason) -> EventTemplate {
        EventTemplate(
            JSONWriter.object { json in
                json.member("reason", reason.rawValue)
                json.member("attempts", json: EventTemplate.number(1))
                json.member("usage", object: { write(.none, &$0) })
            }
        )
    }

    /// `failed` of a request that cannot be read; hole 1 is the number of attempts.
    static func failedBetweenAttempts(_ failure: RequestFailure, _ id: CorrelationID) -> EventTemplate {
        EventTemplate(
            JSONWriter.object { json in
                write(failure, of: id, &json)
                json.member("usage", object: { write(.none, &$0) })
                json.member("attempts", json: EventTemplate.number(1))
            }
        )
    }

    // MARK: Text

    /// `token` and `reasoning`.
    static func text(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count + AnswerEvent.textPrefix.count + AnswerEvent.textSuffix.count + 6)
        bytes.append(contentsOf: AnswerEvent.textPrefix)
        JSONText.escape(text, into: &bytes)
        bytes.append(contentsOf: AnswerEvent.textSuffix)
        return bytes
    }

    /// `reset`, which is delivered and never stored.
    static let reset = AnswerEvent(
        id: nil,
        name: .reset,
        data: JSONWriter.object { $0.member("reason", RestartReason.historyLost.rawValue) },
    )

    // MARK: Ends

    private static func write(_ failure: RequestFailure, of id: CorrelationID, _ json: inout JSONWriter) {
        json.problem(failure.kind, detail: failure.detail)
        json.member("instance", "/api/math/requests/\(id)")
        json.member("correlationId", id.description)
    }

    /// `completed`, `failed` or `cancelled`.
    static func terminal(_ attempt: FinishedAttempt, at place: FinishPlace) -> [UInt8] {
        // Sequence 0 is the marker's: the attempt of that number never began.
        let attempts =
            switch place {
            case .id(let id) where id.sequence == 0: Int(attempt.claim.attempt) - 1
            case .id, .afterLast: Int(attempt.claim.attempt)
            }
        let end = TerminalEvent(
            outcome: attempt.outcome,
            correlationID: attempt.claim.request.correlationID,
            provider: attempt.account.provider.name,
            model: attempt.account.provider.model,
            usage: attempt.account.usage,
            attempts: attempts,
            timings: AnswerTimings(
                queueMilliseconds: attempt.claim.queueMilliseconds,
                firstTokenMilliseconds: attempt.firstTokenMilliseconds,
                durationMilliseconds: attempt.durationMilliseconds,
            ),
        )
        return end.json
    }

    /// The same of an archived request; nil for a request that is not over.
    static func terminal(_ finished: FinishedRequest) -> (name: AnswerEventName, data: [UInt8])? {
        guard let outcome = finished.outcome else { return nil }
        let end = TerminalEvent(
            outcome: outcome,
            correlationID: finished.request.correlationID,
            provider: finished.provider,
            model: finished.model,
            usage: finished.usage ?? .none,
            attempts: finished.attempts,
            timings: finished.timings,
        )
        return (outcome.eventName, end.json)
    }

    /// The content of a terminal event.
    private struct TerminalEvent {
        let outcome: AnswerOutcome
        let correlationID: CorrelationID
        let provider: String?
        let model: String?
        let usage: TokenUsage
        let attempts: Int
        let timings: AnswerTimings?

        var json: [UInt8] {
            JSONWriter.object { json in
                switch outcome {
                case .completed(let reason):
                    json.member("finishReason", reason.rawValue)
                    json.member("provider", provider)
                    json.member("model", model)
                case .failed(let failure): write(failure, of: correlationID, &json)
                case .cancelled(let reason):
                    json.member("reason", reason.rawValue)
                }
                json.member("usage", object: { write(usage, &$0) })
                json.member("attempts", attempts)
                if case .completed = outcome {
                    json.member("queueMs", timings?.queueMilliseconds)
                    json.member("firstTokenMs", timings?.firstTokenMilliseconds)
                    json.member("durationMs", timings?.durationMilliseconds)
                }
            }
        }
    }

    static func write(_ usage: TokenUsage, _ json: inout JSONWriter) {
        json.member("inputTokens", usage.inputTokens)
        json.member("outputTokens", usage.outputTokens)
        json.member("reasoningTokens", usage.reasoningTokens)
        if usage.isEstimated { json.member("estimated", true) }
    }
}

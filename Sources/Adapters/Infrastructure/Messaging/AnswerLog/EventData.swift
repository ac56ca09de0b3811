internal import Application
internal import Domain
internal import Problems
internal import Shared
internal import Text

/// The JSON of every event of a stream (contract, section 5): the one place that writes it.
enum EventData {
    /// All of `queued` but its position and the closing brace, which are known in Redis only.
    static func queuedPrefix(_ id: CorrelationID, in conversation: ConversationID) -> String {
        "{\"correlationId\":\"\(id)\",\"conversationId\":\"\(conversation)\",\"position\":"
    }

    static func queued(_ request: MathRequest, position: Int) -> [UInt8] {
        Array("\(queuedPrefix(request.correlationID, in: request.conversationID))\(position)}".utf8)
    }

    /// The position that `queued` tells; nil where it is none of ours.
    static func position(in data: [UInt8]) -> Int? {
        guard data.last == UInt8(ascii: "}") else { return nil }
        let digits = data.dropLast().reversed().prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        return Int(String(decoding: Array(digits.reversed()), as: UTF8.self))
    }

    /// The end of `started` and `restarted`, after the members that are known in Redis only.
    static func markerSuffix(_ plan: AttemptPlan) -> String {
        let members = JSONWriter.object { json in
            json.member("provider", plan.provider)
            json.member("model", plan.model)
        }
        return String(decoding: members.dropFirst(), as: UTF8.self)
    }

    /// `token` and `reasoning`.
    static func text(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count + 16)
        bytes.append(contentsOf: "{\"text\":\"".utf8)
        JSONText.escape(text, into: &bytes)
        bytes.append(contentsOf: "\"}".utf8)
        return bytes
    }

    static func reset(_ reason: RestartReason) -> [UInt8] {
        JSONWriter.object { $0.member("reason", reason.rawValue) }
    }

    /// `cancelled`, for a request that no worker has at the moment: all but the number of attempts, which Redis knows.
    enum CancelledBetweenAttempts {
        static func prefix(_ reason: CancelReason) -> String { "{\"reason\":\"\(reason.rawValue)\",\"attempts\":" }

        static var suffix: String {
            let usage = JSONWriter.object { json in
                json.member("usage", object: { write(.none, &$0) })
            }
            return "," + String(decoding: usage.dropFirst(), as: UTF8.self)
        }
    }

    /// `failed`, for a request that cannot be read, in parts before and after the number of attempts.
    struct FailedBetweenAttempts {
        let prefix: String
        let suffix: String

        init(_ failure: RequestFailure, _ id: CorrelationID) {
            let members = JSONWriter.object { json in
                write(failure, of: id, &json)
                json.member("usage", object: { EventData.write(.none, &$0) })
            }
            prefix = String(decoding: members.dropLast(), as: UTF8.self) + ",\"attempts\":"
            suffix = "}"
        }
    }

    private static func write(_ failure: RequestFailure, of id: CorrelationID, _ json: inout JSONWriter) {
        json.problem(failure.kind, detail: failure.detail)
        json.member("instance", "/api/math/requests/\(id)")
        json.member("correlationId", id.description)
    }

    /// `completed`, `failed` or `cancelled`.
    static func terminal(_ attempt: FinishedAttempt, at place: FinishPlace) -> [UInt8] {
        // At a marker's place the attempt of that number never began.
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

    /// The same of a request that was kept; nil for one that is not over.
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

    /// What the terminal events tell.
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

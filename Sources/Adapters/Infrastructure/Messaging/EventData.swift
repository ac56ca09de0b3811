internal import Application
internal import Domain
internal import Shared

/// The JSON of every event of a stream (contract, section 5): the one place that writes it.
enum EventData {
    /// All of `queued` but its position and the closing brace, which are known in Redis only.
    static func queuedPrefix(_ request: MathRequest) -> String {
        "{\"correlationId\":\"\(request.correlationID)\",\"conversationId\":\"\(request.conversationID)\",\"position\":"
    }

    /// All of a redriven request's `queued` before the conversation's id, which only the dead letter knows.
    static func redrivenPrefix(_ id: CorrelationID) -> String {
        "{\"correlationId\":\"\(id)\",\"conversationId\":\""
    }

    static func queued(_ request: MathRequest, position: Int) -> [UInt8] {
        Array("\(queuedPrefix(request))\(position)}".utf8)
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
        JSONWriter.escape(text, into: &bytes)
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

    /// `completed`, `failed` or `cancelled`.
    static func terminal(_ attempt: FinishedAttempt, at place: FinishPlace) -> [UInt8] {
        // At a marker's place the attempt of that number never began.
        let attempts =
            switch place {
            case .id(let id) where id.sequence == 0: Int(attempt.claim.attempt) - 1
            case .id, .afterLast: Int(attempt.claim.attempt)
            }
        return JSONWriter.object { json in
            switch attempt.outcome {
            case .completed(let reason):
                json.member("finishReason", reason.rawValue)
                json.member("provider", attempt.account.provider.name)
                json.member("model", attempt.account.provider.model)
            case .failed(let failure):
                let id = attempt.claim.request.correlationID
                json.member("type", failure.kind.type)
                json.member("title", failure.kind.title)
                json.member("status", failure.kind.status)
                json.member("detail", failure.detail)
                json.member("instance", "/api/math/requests/\(id)")
                json.member("correlationId", id.description)
            case .cancelled(let reason):
                json.member("reason", reason.rawValue)
            }
            json.member("usage", object: { write(attempt.account.usage, &$0) })
            json.member("attempts", attempts)
            if case .completed = attempt.outcome {
                json.member("queueMs", attempt.claim.queueMilliseconds)
                json.member("firstTokenMs", attempt.firstTokenMilliseconds)
                json.member("durationMs", attempt.durationMilliseconds)
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

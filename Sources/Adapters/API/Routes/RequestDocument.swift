internal import Application
internal import Domain
internal import Problems
internal import Shared

/// The JSON of a request, as `GET /api/math/requests/{id}` returns it.
enum RequestDocument {
    static func json(_ record: RequestRecord, answer: String?) -> [UInt8] {
        let request = record.request
        return JSONWriter.object { json in
            json.member("correlationId", request.correlationID.description)
            json.member("conversationId", request.conversationID.description)
            json.member("status", record.status.rawValue)
            json.member("problem", request.problem.text)
            json.member("answer", answer)
            json.member("finishReason", record.finishReason?.rawValue)
            if let usage = record.usage {
                json.member("usage", object: { write(usage, &$0) })
            }
            json.member("provider", record.provider)
            json.member("model", record.model)
            json.member("attempts", record.attempts)
            json.member("createdAt", record.createdAt.description)
            json.member("startedAt", record.startedAt?.description)
            json.member("finishedAt", record.finishedAt?.description)
            if let failure = record.failure {
                json.member("error", object: { $0.problem(failure.kind, detail: failure.detail) })
            }
        }
    }

    private static func write(_ usage: TokenUsage, _ json: inout JSONWriter) {
        json.member("inputTokens", usage.inputTokens)
        json.member("outputTokens", usage.outputTokens)
        json.member("reasoningTokens", usage.reasoningTokens)
        if usage.isEstimated { json.member("estimated", true) }
    }
}

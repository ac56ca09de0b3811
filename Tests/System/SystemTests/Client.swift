import FoundationEssentials
import TestSupport

/// A client of the public API at one port.
struct Client: Sendable {
    let port: Int

    struct Submitted: Decodable, Sendable {
        let correlationId: String
        let conversationId: String
        let status: String
        let streamUrl: String
    }

    struct Document: Decodable, Sendable {
        struct Usage: Decodable, Sendable {
            let outputTokens: Int
        }

        let correlationId: String
        let status: String
        let problem: String?
        let answer: String?
        let finishReason: String?
        let attempts: Int?
        let usage: Usage?
    }

    struct ProblemDocument: Decodable, Sendable {
        let type: String
        let status: Int
        let detail: String
    }

    /// A response that the test cannot continue with.
    struct Unexpected: Error, CustomStringConvertible {
        let response: RawResponse
        var description: String { "\(response.status) \(response.body)" }
    }

    func post(
        _ problem: String,
        in conversation: String? = nil,
        onBusy: String? = nil,
        headers: [(String, String)] = []
    ) throws -> RawResponse {
        let body = try Self.body(problem, in: conversation, onBusy: onBusy)
        return try HTTPCall.send("POST", port: port, "/api/math/solve", headers: headers, body: body)
    }

    private struct SolveBody: Encodable {
        struct Options: Encodable {
            let onBusy: String?
        }

        let problem: String
        let conversationId: String?
        let options: Options?
    }

    static func body(_ problem: String, in conversation: String? = nil, onBusy: String? = nil) throws -> String {
        let options = onBusy.map { SolveBody.Options(onBusy: $0) }
        let body = SolveBody(problem: problem, conversationId: conversation, options: options)
        return String(decoding: try JSONEncoder().encode(body), as: UTF8.self)
    }

    /// Submits a problem that is accepted.
    func submit(_ problem: String, in conversation: String? = nil, onBusy: String? = nil) throws -> Submitted {
        let response = try post(problem, in: conversation, onBusy: onBusy)
        guard response.status == 202 else { throw Unexpected(response: response) }
        return try decode(response)
    }

    /// Submits a problem as a patient client does: it repeats a submission that was refused temporarily.
    ///
    /// On a machine that is too busy for 200 clients at once, Redis may miss its two seconds.
    func submitPatiently(_ problem: String) async throws -> Submitted {
        var response = try post(problem)
        for _ in 0..<5 where response.status == 503 && response["retry-after"] != nil {
            // The pause that `Retry-After` names.
            try await ContinuousClock().sleep(for: .milliseconds(500))
            response = try post(problem)
        }
        guard response.status == 202 else { throw Unexpected(response: response) }
        return try decode(response)
    }

    func read(_ id: String, headers: [(String, String)] = []) throws -> Document {
        let response = try HTTPCall.send("GET", port: port, "/api/math/requests/\(id)", headers: headers)
        guard response.status == 200 else { throw Unexpected(response: response) }
        return try decode(response)
    }

    func delete(_ id: String) throws -> RawResponse {
        try HTTPCall.send("DELETE", port: port, "/api/math/requests/\(id)")
    }

    /// Opens the stream of a request.
    ///
    /// `url` is the `streamUrl` of its submission.
    func watch(
        _ url: String,
        after id: String? = nil,
        receiveBufferBytes: Int32? = nil
    ) throws -> EventStreamClient {
        let headers = [("Accept", "text/event-stream")] + (id.map { [("Last-Event-ID", $0)] } ?? [])
        return try EventStreamClient(
            port: port,
            path: url,
            headers: headers,
            receiveBufferBytes: receiveBufferBytes,
        )
    }

    /// Watches a request to its end on one connection.
    func follow(_ url: String, after id: String? = nil) throws -> Transcript {
        var transcript = Transcript()
        try transcript.read(try watch(url, after: id))
        return transcript
    }

    func decode<Value: Decodable>(_ response: RawResponse) throws -> Value {
        try JSONDecoder().decode(Value.self, from: Data(response.body.utf8))
    }
}

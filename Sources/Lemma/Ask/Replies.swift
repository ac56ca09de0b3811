internal import FoundationEssentials

/// What the server sends, as far as `lemma ask` reads it (contract, sections 3 to 5).
enum Reply {
    /// The 202 of a submission.
    struct Accepted: Decodable {
        let correlationId: String
        let conversationId: String
        let streamUrl: String
    }

    /// A request's state, as DELETE answers it.
    struct State: Decodable {
        let status: String
    }

    /// The answer to a login or a refresh; lifetimes in seconds.
    struct Tokens: Decodable {
        let accessToken: String
        let expiresIn: Int
        let refreshToken: String
        let refreshExpiresIn: Int
    }

    struct Queued: Decodable { let position: Int? }

    struct Text: Decodable { let text: String }

    struct Restarted: Decodable { let reason: String? }

    struct Cancelled: Decodable { let reason: String? }

    struct Completed: Decodable {
        struct Usage: Decodable { let outputTokens: Int? }

        let finishReason: String?
        let provider: String?
        let usage: Usage?
        let durationMs: Int?
    }

    /// A problem document (RFC 9457).
    struct Problem: Decodable {
        struct FieldError: Decodable {
            let field: String
            let message: String
        }

        let title: String?
        let detail: String?
        let errors: [FieldError]?

        /// As text, without a trailing line break; empty if there is none.
        var words: String {
            let sentence = [title, detail].compactMap { $0 }.joined(separator: ": ")
            return ([sentence] + (errors ?? []).map { "  \($0.field): \($0.message)" }).joined(separator: "\n")
        }
    }

    static func decode<Value: Decodable>(_ type: Value.Type, _ bytes: some Sequence<UInt8>) -> Value? {
        try? JSONDecoder().decode(type, from: Data(bytes))
    }

    /// The text of an error response.
    static func words(status: Int, retryAfter: String?, _ body: [UInt8]) -> String {
        let problem = decode(Problem.self, body)?.words ?? ""
        let words = problem.isEmpty ? "the server answered \(status)" : problem
        guard let seconds = retryAfter.flatMap({ Int($0) }) else { return words }
        return "\(words)\ntry again in \(time(seconds))"
    }

    /// A time to wait, rounded up to the unit that a person would name.
    private static func time(_ seconds: Int) -> String {
        switch seconds {
        case ..<120: "\(seconds) s"
        case ..<7200: "\((seconds + 59) / 60) min"
        case _: "\((seconds + 3599) / 3600) h"
        }
    }
}

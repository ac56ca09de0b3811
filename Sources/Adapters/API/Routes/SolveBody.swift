internal import Application
internal import FoundationEssentials
internal import HTTPServer
internal import Shared

/// The body of `POST /api/math/solve`.
struct SolveBody: Decodable {
    struct Options: Decodable {
        let temperature: Double?
        let maxOutputTokens: Int?
        let onDisconnect: String?
        let onBusy: String?

        private enum CodingKeys: String, CodingKey {
            case temperature, maxOutputTokens, onDisconnect, onBusy
        }

        init(from decoder: any Decoder) throws {
            let members = try decoder.container(keyedBy: CodingKeys.self)
            temperature = try Self.number(.temperature, in: members)
            maxOutputTokens = try Self.number(.maxOutputTokens, in: members)
            onDisconnect = try members.decodeIfPresent(String.self, forKey: .onDisconnect)
            onBusy = try members.decodeIfPresent(String.self, forKey: .onBusy)
        }

        /// A number that the type cannot hold is a wrong type like any other; Foundation throws an error of its own for
        /// it, which ends as malformed JSON without a place.
        private static func number<Number: Decodable>(
            _ key: CodingKeys,
            in members: KeyedDecodingContainer<CodingKeys>
        ) throws -> Number? {
            do {
                return try members.decodeIfPresent(Number.self, forKey: key)
            } catch let error as DecodingError {
                throw error
            } catch {
                let place = DecodingError.Context(
                    codingPath: members.codingPath + [key],
                    debugDescription: "the number does not fit",
                )
                throw DecodingError.typeMismatch(Number.self, place)
            }
        }
    }

    let problem: String?
    let conversationId: String?
    let provider: String?
    let options: Options?

    /// Reads the JSON; malformed JSON is a 400, a value of the wrong type a 422 that names it.
    static func input(from request: HTTPRequest) throws(Problem) -> SolveInput {
        try requireJSON(request)
        // Foundation would read UTF-16 and UTF-32 too, whose every letter here has a zero byte.
        guard !request.body.contains(0) else { throw Problem(.malformedRequest, "The body must be JSON in UTF-8.") }
        let body: SolveBody
        do {
            body = try JSONDecoder().decode(SolveBody.self, from: Data(request.body))
        } catch let error as DecodingError {
            throw problem(for: error)
        } catch {
            throw Problem(.malformedRequest, "The body is no JSON.")
        }
        var conversationID: ConversationID?
        if let text = body.conversationId {
            guard let id = ConversationID(text) else {
                throw Problem(.malformedRequest, "conversationId must be a UUID in lower case.")
            }
            conversationID = id
        }
        return SolveInput(
            problem: body.problem,
            conversationID: conversationID,
            provider: body.provider,
            temperature: body.options?.temperature,
            maxOutputTokens: body.options?.maxOutputTokens,
            onDisconnect: body.options?.onDisconnect,
            onBusy: body.options?.onBusy,
        )
    }

    private static func requireJSON(_ request: HTTPRequest) throws(Problem) {
        let type = (request.headers["Content-Type"] ?? "").split(separator: ";").map { $0.trimmed.lowercased() }
        let charset = type.dropFirst().first { $0.hasPrefix("charset=") }
        guard type.first == "application/json",
            charset == nil || charset == "charset=utf-8" || charset == "charset=\"utf-8\""
        else {
            throw Problem(.unsupportedMediaType, "The body must be JSON in UTF-8, with Content-Type: application/json.")
        }
        guard request.headers["Content-Encoding"] == nil else {
            throw Problem(.unsupportedMediaType, "The body must not be compressed.")
        }
    }

    private static func problem(for error: DecodingError) -> Problem {
        switch error {
        case .typeMismatch(let type, let context): wrongType(context.codingPath, expected: "\(type)")
        case .valueNotFound(let type, let context): wrongType(context.codingPath, expected: "\(type)")
        case .dataCorrupted(let context) where !context.codingPath.isEmpty:
            wrongType(context.codingPath, expected: "another value")
        case .dataCorrupted, .keyNotFound: Problem(.malformedRequest, "The body is no valid JSON.")
        @unknown default: Problem(.malformedRequest, "The body is no valid JSON.")
        }
    }

    private static func wrongType(_ path: [any CodingKey], expected: String) -> Problem {
        let name = path.map(\.stringValue).joined(separator: ".")
        let wanted =
            switch expected {
            case "String": "must be a string"
            case "Double": "must be a number"
            case "Int": "must be a whole number"
            case "another value": "has a value that does not fit"
            case _: "must be an object"
            }
        return .invalid(ValidationFailure([.init(field: name.isEmpty ? "body" : name, message: wanted)]))
    }
}

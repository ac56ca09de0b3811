internal import Application
internal import FoundationEssentials
internal import HTTPServer
internal import Shared

/// Reads the JSON of a request's body.
enum JSONBody {
    /// Malformed JSON is a 400, a value of the wrong type a 422 that names it.
    static func decode<Body: Decodable>(_: Body.Type, from request: HTTPRequest) throws(Problem) -> Body {
        try requireJSON(request)
        // Foundation would read UTF-16 and UTF-32 too, whose every letter here has a zero byte.
        guard !request.body.contains(0) else { throw Problem(.malformedRequest, "The body must be JSON in UTF-8.") }
        do {
            return try JSONDecoder().decode(Body.self, from: Data(request.body))
        } catch let error as DecodingError {
            throw problem(for: error)
        } catch {
            throw Problem(.malformedRequest, "The body is no JSON.")
        }
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

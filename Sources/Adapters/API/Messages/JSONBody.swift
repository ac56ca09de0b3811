internal import Application
internal import FoundationEssentials
internal import HTTPServer
internal import Shared

/// Decodes the JSON body of a request: the one place that does.
enum JSONBody {
    /// Throws a 415 for another media type, a 400 for malformed JSON, a 422 that names the member for a wrong type.
    static func decode<Body: Decodable>(_: Body.Type, from request: HTTPRequest) throws(APIProblem) -> Body {
        try requireJSON(request)
        do throws(JSONSyntax.Failure) {
            try JSONSyntax.check(request.body)
        } catch {
            throw APIProblem(.malformedRequest, detail(of: error))
        }
        do {
            return try JSONDecoder().decode(Body.self, from: Data(request.body))
        } catch let error as DecodingError {
            throw problem(for: error)
        } catch {
            throw APIProblem(.malformedRequest, "The body is no JSON.")
        }
    }

    private static func detail(of failure: JSONSyntax.Failure) -> String {
        switch failure {
        case .malformed: "The body is no valid JSON."
        case .notUTF8: "The body must be JSON in UTF-8."
        case .repeatedMember(let name): "The body has the member \"\(name.prefix(64))\" twice in one object."
        case .tooDeep: "The body has more than \(JSONSyntax.depthMax) objects and arrays inside each other."
        }
    }

    private static func requireJSON(_ request: HTTPRequest) throws(APIProblem) {
        let types = HeaderElement.list(request.headers["Content-Type"])
        let charset = types.first?[parameter: "charset"]?.lowercased() ?? "utf-8"
        guard types.map(\.name) == ["application/json"], charset == "utf-8" || charset == "utf8" else {
            throw APIProblem(
                .unsupportedMediaType,
                "The body must be JSON in UTF-8, with Content-Type: application/json."
            )
        }
        guard HeaderElement.list(request.headers["Content-Encoding"]).allSatisfy({ $0.name == "identity" }) else {
            throw APIProblem(.unsupportedMediaType, "The body must not be compressed.")
        }
    }

    private static func problem(for error: DecodingError) -> APIProblem {
        switch error {
        case .typeMismatch(let type, let context): wrongType(context.codingPath, expected: "\(type)")
        case .valueNotFound(let type, let context): wrongType(context.codingPath, expected: "\(type)")
        case .dataCorrupted(let context) where !context.codingPath.isEmpty:
            wrongType(context.codingPath, expected: "another value")
        case .dataCorrupted, .keyNotFound: APIProblem(.malformedRequest, "The body is no valid JSON.")
        @unknown default: APIProblem(.malformedRequest, "The body is no valid JSON.")
        }
    }

    /// A body whose members are all optional, which may be absent as a whole.
    static func decodeIfPresent<Body: Decodable>(_: Body.Type, from request: HTTPRequest) throws(APIProblem) -> Body? {
        request.body.isEmpty ? nil : try decode(Body.self, from: request)
    }

    private static func wrongType(_ path: [any CodingKey], expected: String) -> APIProblem {
        // A wrong element is a mistake of its list.
        let name = path.prefix { $0.intValue == nil }.map(\.stringValue).joined(separator: ".")
        let message =
            switch expected {
            case _ where path.contains(where: { $0.intValue != nil }): "has an element of the wrong type"
            case "String": "must be a string"
            case "Double": "must be a number"
            case "Int": "must be a whole number"
            case "Bool": "must be true or false"
            case _ where expected.hasPrefix("Array"): "must be a list"
            case "another value": "has a value that does not fit"
            case _: "must be an object"
            }
        return .invalid(ValidationFailure([.init(field: name.isEmpty ? "body" : name, message: message)]))
    }
}

extension KeyedDecodingContainer {
    /// A number that the type cannot represent is a value of the wrong type; Foundation throws an error without a coding
    /// path for it.
    func numberIfPresent<Number: Decodable>(_: Number.Type = Number.self, forKey key: Key) throws -> Number? {
        do {
            return try decodeIfPresent(Number.self, forKey: key)
        } catch let error as DecodingError {
            throw error
        } catch {
            let context = DecodingError.Context(
                codingPath: codingPath + [key],
                debugDescription: "the number does not fit",
            )
            throw DecodingError.typeMismatch(Number.self, context)
        }
    }
}

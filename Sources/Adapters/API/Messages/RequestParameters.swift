internal import HTTPServer
internal import Shared

extension RequestContext {
    /// The id in the path; a 400 where it is no UUID.
    func identifier<Identifier: UUIDIdentifier>(_: Identifier.Type = Identifier.self) throws(APIProblem) -> Identifier {
        guard let parameter, let id = Identifier(parameter) else {
            throw APIProblem(.malformedRequest, "The id in the path must be a UUID.")
        }
        return id
    }

    /// The header's value, of 1 to `max` visible ASCII characters; nil where it is absent, a 400 where it is another.
    func visibleHeader(_ name: String, max: Int) throws(APIProblem) -> String? {
        try request.visibleHeader(name, max: max)
    }

    /// The JSON body; see ``JSONBody/decode(_:from:)``.
    func body<Body: Decodable>(as type: Body.Type) throws(APIProblem) -> Body {
        try JSONBody.decode(type, from: request)
    }

    /// The JSON body; nil where it is absent.
    func bodyIfPresent<Body: Decodable>(as type: Body.Type) throws(APIProblem) -> Body? {
        try JSONBody.decodeIfPresent(type, from: request)
    }
}

extension HTTPRequest {
    func visibleHeader(_ name: String, max: Int) throws(APIProblem) -> String? {
        guard let value = headers[name] else { return nil }
        guard (1...max).contains(value.utf8.count), value.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw APIProblem(.malformedRequest, "\(name) must be 1 to \(max) visible ASCII characters.")
        }
        return value
    }
}

/// The `X-Request-ID` of a request.
enum RequestID {
    /// The client sent none: the server makes one.
    case absent
    case own(String)
    /// The 400 that is the response; it carries an id that the server makes.
    case invalid(APIProblem)

    init(_ request: HTTPRequest) {
        do throws(APIProblem) {
            self = try request.visibleHeader("X-Request-ID", max: 128).map { .own($0) } ?? .absent
        } catch {
            self = .invalid(error)
        }
    }
}

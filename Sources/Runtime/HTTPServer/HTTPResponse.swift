internal import Text

/// Response header fields in the order they are sent.
package struct HTTPFields: Sendable, ExpressibleByDictionaryLiteral {
    package private(set) var entries: [(name: String, value: String)]

    package init(dictionaryLiteral elements: (String, String)...) {
        entries = []
        for (name, value) in elements { append(name, value) }
    }

    mutating func append(contentsOf more: HTTPFields) { entries += more.entries }

    /// Adds a field.
    ///
    /// `name` must be a token (RFC 9110, section 5.1); controls in `value` are sent as spaces, so that no value can
    /// begin another field or response.
    package mutating func append(_ name: String, _ value: String) {
        precondition(name.isToken, "a response field has no valid name")
        let isClean = value.utf8.allSatisfy(\.isFieldContent)
        entries.append((name, isClean ? value : Self.withoutControls(value)))
    }

    private static func withoutControls(_ value: String) -> String {
        String(decoding: value.utf8.map { $0.isFieldContent ? $0 : .space }, as: UTF8.self)
    }
}

/// A response whose body is known as a whole.
///
/// The server adds `Date`, `Content-Length` and `Connection`, so none of these belongs in `headers`. It omits the body
/// where HTTP has none (HEAD, 204, 304).
package struct HTTPResponse: Sendable {
    /// 200 to 599.
    package var status: Int
    package var headers: HTTPFields
    package var body: [UInt8]

    package init(status: Int, headers: HTTPFields = [:], body: [UInt8] = []) {
        precondition((200...599).contains(status), "a final response has a status from 200 to 599")
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// The phrase of a status code (RFC 9110, section 15), or `Unknown`.
func reasonPhrase(of status: Int) -> StaticString {
    switch status {
    case 101: "Switching Protocols"
    case 200: "OK"
    case 201: "Created"
    case 202: "Accepted"
    case 204: "No Content"
    case 206: "Partial Content"
    case 301: "Moved Permanently"
    case 302: "Found"
    case 303: "See Other"
    case 304: "Not Modified"
    case 307: "Temporary Redirect"
    case 308: "Permanent Redirect"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 406: "Not Acceptable"
    case 408: "Request Timeout"
    case 409: "Conflict"
    case 410: "Gone"
    case 412: "Precondition Failed"
    case 413: "Content Too Large"
    case 414: "URI Too Long"
    case 415: "Unsupported Media Type"
    case 417: "Expectation Failed"
    case 422: "Unprocessable Content"
    case 426: "Upgrade Required"
    case 428: "Precondition Required"
    case 429: "Too Many Requests"
    case 431: "Request Header Fields Too Large"
    case 500: "Internal Server Error"
    case 501: "Not Implemented"
    case 502: "Bad Gateway"
    case 503: "Service Unavailable"
    case 504: "Gateway Timeout"
    case 505: "HTTP Version Not Supported"
    case _: "Unknown"
    }
}

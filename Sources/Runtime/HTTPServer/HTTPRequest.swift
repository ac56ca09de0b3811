internal import Text

/// The method of a request.
package enum HTTPMethod: Sendable, Hashable {
    case get
    case head
    case post
    case put
    case patch
    case delete
    case options
    /// Another registered method, by its name.
    case other(String)

    package var name: String {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .patch: "PATCH"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .other(let name): name
        }
    }
}

/// The protocol version of a request.
package enum HTTPVersion: Sendable, Hashable {
    case http10
    case http11
}

/// A complete request that is valid by RFC 9110 and 9112.
package struct HTTPRequest: Sendable {
    package let method: HTTPMethod
    /// The percent-decoded path: valid UTF-8, without controls, encoded slashes or dot segments, beginning with a slash;
    /// or `*` of `OPTIONS *`.
    package let path: String
    package let version: HTTPVersion
    package let headers: HTTPHeaders
    /// Empty when the request has none.
    package internal(set) var body: [UInt8]
    /// The client's numeric address; empty when the connection has broken.
    package let peerAddress: String

    let targetRange: Range<Int>
    let queryRange: Range<Int>

    /// The request target as sent.
    package var target: String { String(decoding: headers.bytes[targetRange], as: UTF8.self) }

    /// The parameters behind the question mark, parsed at each use.
    package var query: HTTPQuery { HTTPQuery(bytes: headers.bytes[queryRange]) }
}

/// The query of a request target, read as `name=value&…` with `+` for a space.
package struct HTTPQuery: Sendable {
    let bytes: ArraySlice<UInt8>

    package var isEmpty: Bool { bytes.isEmpty }

    /// The first value of a parameter, empty when it has no `=`; nil when it is absent.
    package subscript(name: String) -> String? {
        for pair in bytes.split(separator: UInt8(ascii: "&")) {
            let separator = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            guard decoded(pair[..<separator]) == name else { continue }
            return decoded(pair[separator...].dropFirst())
        }
        return nil
    }

    private func decoded(_ bytes: ArraySlice<UInt8>) -> String {
        String(decoding: PercentEncoding.decode(bytes, plusIsSpace: true) ?? [], as: UTF8.self)
    }
}

// In Swift CRLF is one character.

/// A response as ``RawClient`` has received it.
package struct RawResponse: Equatable {
    package let status: Int
    /// Names in lower case.
    package let headers: [String: String]
    package let body: String

    package subscript(name: String) -> String? { headers[name] }
}

/// The status line and the header of a response.
struct RawHead {
    let status: Int
    /// Names in lower case.
    let headers: [String: String]
}

extension RawClient {
    /// Reads one response whose body is framed by length or chunks; `hasBody` is false after HEAD.
    package func readResponse(hasBody: Bool = true, within limit: Duration = .seconds(10)) throws -> RawResponse {
        let head = try readHead(within: limit)
        let body = hasBody ? try readBody(of: head, within: limit) : ""
        return RawResponse(status: head.status, headers: head.headers, body: body)
    }

    func readHead(within limit: Duration) throws -> RawHead {
        let head = try read(through: "\r\n\r\n", within: limit)
        let lines = head.dropLast(2).split(separator: "\r\n", omittingEmptySubsequences: false)
        guard let first = lines.first, first.hasPrefix("HTTP/1.1 "), let status = Int(first.dropFirst(9).prefix(3))
        else {
            throw Failure.malformedResponse(head)
        }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstRange(of: ": ") else { throw Failure.malformedResponse(head) }
            headers[line[..<colon.lowerBound].lowercased()] = String(line[colon.upperBound...])
        }
        return RawHead(status: status, headers: headers)
    }

    func readBody(of head: RawHead, within limit: Duration) throws -> String {
        var body: [UInt8] = []
        if head.status >= 200 {
            if let length = head.headers["content-length"] {
                guard let length = Int(length) else { throw Failure.malformedResponse(length) }
                body = try read(count: length, within: limit)
            } else if head.headers["transfer-encoding"] == "chunked" {
                while let chunk = try readChunkBytes(within: limit) { body += chunk }
            }
        }
        return String(decoding: body, as: UTF8.self)
    }

    /// Reads one chunk; nil for the last one.
    package func readChunk(within limit: Duration = .seconds(10)) throws -> String? {
        try readChunkBytes(within: limit).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The same, for chunks that may end within a character.
    func readChunkBytes(within limit: Duration) throws -> ArraySlice<UInt8>? {
        let line = try read(through: "\r\n", within: limit)
        guard let size = Int(line.dropLast(), radix: 16) else { throw Failure.malformedResponse(line) }
        let data = try read(count: size + 2, within: limit)
        guard data.suffix(2) == [13, 10] else { throw Failure.malformedResponse(line) }
        return size == 0 ? nil : data.dropLast(2)
    }
}

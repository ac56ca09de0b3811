// In Swift CRLF is one character.

/// A response as ``RawClient`` read it off the wire.
package struct RawResponse: Equatable {
    package let status: Int
    /// Names in lower case.
    package let headers: [String: String]
    package let body: String

    package subscript(name: String) -> String? { headers[name] }
}

extension RawClient {
    /// Reads one response whose body is framed by length or chunks; `hasBody` is false after HEAD.
    package func readResponse(hasBody: Bool = true, within limit: Duration = .seconds(10)) throws -> RawResponse {
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
        var body = ""
        if hasBody, status >= 200 {
            if let length = headers["content-length"] {
                guard let length = Int(length) else { throw Failure.malformedResponse(head) }
                body = String(decoding: try read(count: length, within: limit), as: UTF8.self)
            } else if headers["transfer-encoding"] == "chunked" {
                while let chunk = try readChunk(within: limit) { body += chunk }
            }
        }
        return RawResponse(status: status, headers: headers, body: body)
    }

    /// Reads one chunk; nil for the last one.
    package func readChunk(within limit: Duration = .seconds(10)) throws -> String? {
        let line = try read(through: "\r\n", within: limit)
        guard let size = Int(line.dropLast(), radix: 16) else { throw Failure.malformedResponse(line) }
        let data = try read(count: size + 2, within: limit)
        guard data.suffix(2) == [13, 10] else { throw Failure.malformedResponse(line) }
        return size == 0 ? nil : String(decoding: data.dropLast(2), as: UTF8.self)
    }
}

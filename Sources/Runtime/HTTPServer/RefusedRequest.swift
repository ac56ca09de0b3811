internal import Text

/// What could be read of a request that the server answers with an error itself; nil for what could not.
package struct RefusedRequest: Sendable, Equatable {
    /// The decoded path, where the request line has a valid one.
    package var path: String?
    /// The `Origin` field; without it, a script in a browser cannot read the response.
    package var origin: String?
    /// The client's `X-Request-ID`.
    package var requestID: String?

    package init(path: String? = nil, origin: String? = nil, requestID: String? = nil) {
        self.path = path
        self.origin = origin
        self.requestID = requestID
    }

    /// Reads the first bytes of a request, which may be incomplete or malformed.
    ///
    /// Line by line, since no parser accepts them.
    init(head: [UInt8]) {
        // An empty line may precede the request line.
        let lines = head.split(separator: .lineFeed, omittingEmptySubsequences: false)
            .map { $0.last == .carriageReturn ? $0.dropLast() : $0 }
            .drop(while: \.isEmpty)
        path = lines.first.flatMap { Self.path(inRequestLine: $0, of: head) }
        let fields = lines.dropFirst().prefix { !$0.isEmpty }
        origin = Self.value(of: "origin", in: fields)
        requestID = Self.value(of: "x-request-id", in: fields)
    }

    /// nil where the path may go on behind the bytes that have arrived.
    private static func path(inRequestLine line: ArraySlice<UInt8>, of head: [UInt8]) -> String? {
        guard let methodEnd = line.firstIndex(of: .space), methodEnd > line.startIndex,
            line[..<methodEnd].allSatisfy(\.isToken)
        else { return nil }
        let start = methodEnd + 1
        let isTargetEnd = { (byte: UInt8) in byte == .space || byte == UInt8(ascii: "?") }
        guard
            let end = line[start...].firstIndex(where: isTargetEnd)
                ?? (line.endIndex < head.endIndex ? line.endIndex : nil),
            end > start, line[start..<end].allSatisfy(\.isVisible)
        else { return nil }
        return try? RequestTarget(head, start..<end, allowsAsterisk: true).path
    }

    /// The first field of that name; nil where its value is empty or not visible ASCII.
    private static func value(of name: String, in fields: ArraySlice<ArraySlice<UInt8>>) -> String? {
        for line in fields {
            guard let colon = line.firstIndex(of: .colon), isName(line[..<colon], name) else { continue }
            let value = line[(colon + 1)...].trimmingBlanks
            return value.allSatisfy(\.isVisible) && !value.isEmpty ? String(decoding: value, as: UTF8.self) : nil
        }
        return nil
    }

    private static func isName(_ bytes: ArraySlice<UInt8>, _ name: String) -> Bool {
        bytes.lazy.map(\.lowercasedASCII).elementsEqual(name.utf8)
    }
}

internal import Text

/// What could be read of a request that the server refuses itself; what could not is nil.
package struct RefusedRequest: Sendable {
    /// The path, where so much of the target was found valid.
    package var path: String?
    /// The `Origin` field, without which a browser's script does not see the refusal.
    package var origin: String?
    /// The client's `X-Request-ID`.
    package var requestID: String?

    package init(path: String? = nil, origin: String? = nil, requestID: String? = nil) {
        self.path = path
        self.origin = origin
        self.requestID = requestID
    }
}

extension RequestParser {
    /// What there is of the request, whether its head is complete or not.
    var refusedRequest: RefusedRequest {
        RefusedRequest(path: target?.path, origin: rawValue(of: "origin"), requestID: rawValue(of: "x-request-id"))
    }

    /// The first line of that name in what was read of the head; nil where its value is not visible ASCII.
    ///
    /// Line by line, because the head may be one that no parser takes.
    private func rawValue(of name: StaticString) -> String? {
        let lines = head.split(separator: .lineFeed, omittingEmptySubsequences: false).map { line in
            line.last == .carriageReturn ? line.dropLast() : line
        }
        // One empty line may stand before the request line.
        for line in lines.drop(while: \.isEmpty).dropFirst().prefix(while: { !$0.isEmpty }) {
            guard let colon = line.firstIndex(of: .colon), isName(line[..<colon], name) else { continue }
            let value = line[(colon + 1)...].trimmingBlanks
            return value.allSatisfy(\.isVisible) && !value.isEmpty ? String(decoding: value, as: UTF8.self) : nil
        }
        return nil
    }

    private func isName(_ bytes: ArraySlice<UInt8>, _ name: StaticString) -> Bool {
        bytes.count == name.utf8CodeUnitCount
            && name.withUTF8Buffer { bytes.lazy.map(\.lowercasedASCII).elementsEqual($0) }
    }
}

internal import Text

/// The parts of a request target (RFC 9112, section 3.2), as ranges of the head's bytes.
struct RequestTarget {
    let path: String
    let query: Range<Int>

    /// Accepts origin-form, absolute-form with `http` or `https`, and `*` where `allowsAsterisk`.
    ///
    /// The authority of an absolute-form target is checked and dropped.
    init(_ bytes: [UInt8], _ range: Range<Int>, allowsAsterisk: Bool) throws(RequestRefusal) {
        var start = range.lowerBound
        let end = range.upperBound
        if allowsAsterisk, range.count == 1, bytes[start] == UInt8(ascii: "*") {
            (path, query) = ("*", end..<end)
            return
        }
        if bytes[start] != UInt8(ascii: "/") {
            guard let scheme = Self.schemeLength(bytes[range]) else { throw .malformedTarget }
            start += scheme
            let authorityEnd =
                bytes[start..<end].firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? end
            let authority = start..<authorityEnd
            guard !authority.isEmpty, bytes[authority].allSatisfy(\.isHostAndPort) else { throw .malformedTarget }
            start = authorityEnd
        }
        let pathEnd = bytes[start..<end].firstIndex(of: UInt8(ascii: "?")) ?? end
        query = min(pathEnd + 1, end)..<end
        guard !bytes[start..<end].contains(UInt8(ascii: "#")),
            PercentEncoding.decode(bytes[query], plusIsSpace: true) != nil,
            let path = Self.decodedPath(bytes[start..<pathEnd])
        else { throw .malformedTarget }
        self.path = path
    }

    private static func schemeLength(_ target: ArraySlice<UInt8>) -> Int? {
        for scheme in ["http://", "https://"] {
            let prefix = target.prefix(scheme.utf8.count)
            if prefix.lazy.map(\.lowercasedASCII).elementsEqual(scheme.utf8) { return prefix.count }
        }
        return nil
    }

    /// Nil where the decoded path contains a control, another slash or a dot segment, so that the router and everything
    /// behind it read the same path.
    private static func decodedPath(_ bytes: ArraySlice<UInt8>) -> String? {
        guard !bytes.isEmpty else { return "/" }
        var previous = UInt8(ascii: "/")
        var isPlain = true
        for byte in bytes {
            if byte == UInt8(ascii: "%") || byte == UInt8(ascii: ".") && previous == UInt8(ascii: "/") {
                isPlain = false
                break
            }
            previous = byte
        }
        if isPlain { return String(decoding: bytes, as: UTF8.self) }
        guard let decoded = PercentEncoding.decode(bytes),
            decoded.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }),
            decoded.count(where: { $0 == UInt8(ascii: "/") }) == bytes.count(where: { $0 == UInt8(ascii: "/") }),
            let path = String(validating: decoded, as: UTF8.self),
            !path.utf8.split(separator: UInt8(ascii: "/")).contains(where: isDotSegment)
        else { return nil }
        return path
    }

    private static func isDotSegment(_ segment: Substring.UTF8View) -> Bool {
        segment.count <= 2 && segment.allSatisfy { $0 == UInt8(ascii: ".") }
    }
}

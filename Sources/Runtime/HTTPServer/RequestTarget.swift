internal import Text

/// The parts of a request target (RFC 9112, section 3.2), as ranges of the head's bytes.
struct RequestTarget {
    let path: String
    let query: Range<Int>
    /// The authority of an absolute-form target, which replaces the Host header's.
    let authority: Range<Int>?

    /// Takes origin-form, absolute-form with `http` or `https`, and `*` where `allowsAsterisk`.
    init(_ bytes: [UInt8], _ range: Range<Int>, allowsAsterisk: Bool) throws(RequestRefusal) {
        var start = range.lowerBound
        let end = range.upperBound
        if allowsAsterisk, range.count == 1, bytes[start] == UInt8(ascii: "*") {
            (path, query, authority) = ("*", end..<end, nil)
            return
        }
        if bytes[start] != UInt8(ascii: "/") {
            guard let scheme = Self.schemeLength(bytes[range]) else { throw .malformedTarget }
            start += scheme
            let authorityEnd =
                bytes[start..<end].firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? end
            let authority = start..<authorityEnd
            guard !authority.isEmpty, bytes[authority].allSatisfy(\.isHostAndPort) else { throw .malformedTarget }
            self.authority = authority
            start = authorityEnd
        } else {
            authority = nil
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

    /// Nil for what a path must not contain once decoded, so that a router and what stands behind it see one meaning.
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

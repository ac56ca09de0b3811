/// The header fields of a request in the order received, over the received bytes.
package struct HTTPHeaders: Sendable {
    /// The position of a field in ``bytes``.
    struct Field {
        var nameStart: UInt32
        var nameEnd: UInt32
        var valueStart: UInt32 = 0
        var valueEnd: UInt32 = 0
    }

    /// The request head as received.
    let bytes: [UInt8]
    let fields: [Field]

    package var count: Int { fields.count }

    /// The value of a field whose name is compared without regard to case; nil when it is absent.
    ///
    /// Repeated fields are combined with a comma, cookies with a semicolon (RFC 9110, section 5.3; RFC 6265). A field that
    /// must be single is single: the server refuses other requests.
    package subscript(name: String) -> String? {
        var result: String?
        for field in fields where hasName(name, field) {
            let value = value(of: field)
            if let earlier = result {
                let separator = name.utf8.count == 6 && hasName("cookie", field) ? "; " : ", "
                result = earlier + separator + value
            } else {
                result = value
            }
        }
        return result
    }

    /// True when one of a comma-separated list's members equals `token`, without regard to case.
    package func contains(_ token: String, in name: String) -> Bool {
        guard let value = self[name] else { return false }
        return value.utf8.split(separator: UInt8(ascii: ",")).contains { member in
            let trimmed = member.drop { $0 == .space || $0 == .tab }
            return trimmed.count >= token.utf8.count
                && trimmed.prefix(token.utf8.count).elementsEqual(token.utf8, by: Self.isSameLetter)
                && trimmed.dropFirst(token.utf8.count).allSatisfy { $0 == .space || $0 == .tab }
        }
    }

    /// All fields as received.
    package var all: [(name: String, value: String)] {
        fields.map { (string($0.nameStart..<$0.nameEnd), value(of: $0)) }
    }

    func hasName(_ name: String, _ field: Field) -> Bool {
        guard Int(field.nameEnd - field.nameStart) == name.utf8.count else { return false }
        var index = Int(field.nameStart)
        for letter in name.utf8 {
            guard Self.isSameLetter(bytes[index], letter) else { return false }
            index += 1
        }
        return true
    }

    func value(of field: Field) -> String { string(field.valueStart..<field.valueEnd) }

    /// Replaces bytes that are not UTF-8: field values are opaque, and their own parsers reject them.
    private func string(_ range: Range<UInt32>) -> String {
        String(decoding: bytes[Int(range.lowerBound)..<Int(range.upperBound)], as: UTF8.self)
    }

    private static func isSameLetter(_ one: UInt8, _ other: UInt8) -> Bool {
        one.lowercasedASCII == other.lowercasedASCII
    }
}

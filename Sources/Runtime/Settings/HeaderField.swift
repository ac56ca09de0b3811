/// A field of requests to somebody else's server; the value may be a key.
package struct HeaderField: Sendable {
    package let name: String
    package let value: Secret
}

extension SettingFormat<HeaderField> {
    /// `name=value`, where the value may be percent-encoded; never shown.
    package static var headerField: Self {
        Self("`name=value`, percent-encoded where it holds a comma", masking: .whole) { text in
            guard let mark = text.firstIndex(of: "=") else { return nil }
            let name = text[..<mark].trimmingBlanks()
            guard !name.isEmpty, name.utf8.allSatisfy(isNameByte),
                let value = percentDecoded(text[text.index(after: mark)...].trimmingBlanks()),
                !value.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F })
            else { return nil }
            return HeaderField(name: name, value: Secret(value))
        }
    }

    /// A byte of a token (RFC 9110, section 5.6.2).
    private static func isNameByte(_ byte: UInt8) -> Bool {
        byte.isLetter || byte.isDigit || "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }

    /// Nil where a `%` is not followed by two hexadecimal digits, or the whole is no UTF-8.
    private static func percentDecoded(_ text: String) -> String? {
        var bytes: [UInt8] = []
        var rest = Substring(text).utf8
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = rest.prefix(2)
            guard digits.count == 2, digits.allSatisfy({ $0.isDigit || $0.isLetter }),
                let decoded = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            else { return nil }
            bytes.append(decoded)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}

internal import Text

/// A header field of requests to an external server; the value may be a key.
package struct HeaderField: Sendable {
    package let name: String
    package let value: Secret
}

extension SettingFormat<HeaderField> {
    /// `name=value`; the value may be percent-encoded and is never shown.
    package static var headerField: Self {
        Self("`name=value`, percent-encoded where it holds a comma", masking: .whole) { text in
            guard let mark = text.firstIndex(of: "=") else { return nil }
            let name = String(text[..<mark].trimmingBlanks)
            guard name.isToken,
                let value = PercentEncoding.decode(text[text.index(after: mark)...].trimmingBlanks),
                !value.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F })
            else { return nil }
            return HeaderField(name: name, value: Secret(value))
        }
    }
}

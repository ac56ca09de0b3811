/// An e-mail address as a login name: a local part, `@` and a domain, at most 254 bytes (RFC 5321, section 4.5.3).
///
/// Compared without regard to ASCII case. Whether mail arrives there is not checked.
package struct EmailAddress: Sendable, Hashable, CustomStringConvertible {
    package static let bytesMax = 254
    private static let localBytesMax = 64

    /// As its owner wrote it.
    package let text: String
    /// In lower case: equal addresses have equal names.
    package let canonical: String

    package struct Invalid: Error, Equatable {}

    /// Trims white space.
    package init(_ text: String) throws(Invalid) {
        guard let trimmed = text.trimmedScalars else { throw Invalid() }
        let text = String(trimmed)
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, text.utf8.count <= Self.bytesMax,
            (1...Self.localBytesMax).contains(parts[0].utf8.count),
            text.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value != 0x7F && !$0.properties.isWhitespace }),
            Self.isDomain(parts[1])
        else { throw Invalid() }
        self.init(stored: text)
    }

    /// An address that was checked before.
    package init(stored text: String) {
        self.text = text
        canonical = text.lowercased()
    }

    package var description: String { text }

    package static func == (one: EmailAddress, other: EmailAddress) -> Bool { one.canonical == other.canonical }
    package func hash(into hasher: inout Hasher) { hasher.combine(canonical) }

    /// Labels of letters, digits and hyphens; international domains also in their own letters.
    private static func isDomain(_ text: Substring) -> Bool {
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        return labels.allSatisfy { label in
            !label.isEmpty && label.utf8.count <= 63 && label.first != "-" && label.last != "-"
                && label.unicodeScalars.allSatisfy { $0.value > 0x7F || $0 == "-" || isAlphanumeric($0) }
        }
    }

    private static func isAlphanumeric(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9": true
        case _: false
        }
    }
}

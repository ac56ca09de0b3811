internal import Text

/// Computes fingerprints with a cryptographic hash function.
package protocol Fingerprinting: Sendable {
    func fingerprint(_ text: String) -> Fingerprint
}

/// A digest of a text: equal texts have equal fingerprints, and a fingerprint does not reveal its text.
package struct Fingerprint: Sendable, Hashable, CustomStringConvertible {
    /// At least 16 bytes.
    package let bytes: [UInt8]

    package init(_ bytes: [UInt8]) {
        precondition(bytes.count >= 16, "a fingerprint has at least 128 bits")
        self.bytes = bytes
    }

    /// Lower-case hexadecimal digits.
    package var description: String { Hexadecimal.text(bytes) }

    /// The first 16 bits, as the lane of ids that are stored beside it; see ``UUIDBits/lane``.
    package var lane: UInt16 { UInt16(bytes[0]) << 8 | UInt16(bytes[1]) }
}

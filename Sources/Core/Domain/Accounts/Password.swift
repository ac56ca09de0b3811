/// A password that is allowed for an account: 10 to 128 Unicode scalars (NIST SP 800-63B, section 5.1.1.2: long, and
/// without rules about its characters).
///
/// Prints as `***`.
package struct Password: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package static let scalarsAllowed = 10...128

    private let text: String

    /// Why the text was rejected.
    package enum Invalid: Error, Equatable {
        case tooShort
        case tooLong
    }

    package init(_ text: String) throws(Invalid) {
        let count = text.unicodeScalars.count
        guard count >= Self.scalarsAllowed.lowerBound else { throw .tooShort }
        guard count <= Self.scalarsAllowed.upperBound else { throw .tooLong }
        self.text = text
    }

    /// The password itself, for hashing only.
    package func reveal() -> String { text }

    package var description: String { "***" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

internal import Shared

/// The text of a problem: 1 to 8,000 Unicode scalars without white space around them.
package struct MathProblem: Sendable, Hashable {
    /// Upper limit in Unicode scalars, after trimming.
    package static let scalarsMax = 8000

    package let text: String

    /// Why the text was rejected.
    package enum Invalid: Error, Equatable {
        case empty
        /// With the number of scalars.
        case tooLong(Int)
    }

    /// Trims Unicode white space, replaces U+0000 by U+FFFD, and checks the length.
    package init(_ text: String) throws(Invalid) {
        guard let trimmed = text.trimmedScalars else { throw .empty }
        let count = trimmed.count
        guard count <= Self.scalarsMax else { throw .tooLong(count) }
        self.text = String(trimmed).storable
    }

    /// A text from the store, validated when it was accepted; earlier releases stored U+0000.
    package init(stored text: String) { self.text = text.storable }
}

extension String {
    /// Trimmed of Unicode white space; nil where nothing is left.
    var trimmedScalars: Substring.UnicodeScalarView? {
        let isSpace: (Unicode.Scalar) -> Bool = { $0.properties.isWhitespace }
        guard let first = unicodeScalars.firstIndex(where: { !isSpace($0) }),
            let last = unicodeScalars.lastIndex(where: { !isSpace($0) })
        else { return nil }
        return unicodeScalars[first...last]
    }
}

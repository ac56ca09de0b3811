internal import Shared

/// The text of a problem: 1 to 8,000 Unicode scalars without white space around them.
package struct MathProblem: Sendable, Hashable {
    /// Upper limit in Unicode scalars, after trimming.
    package static let scalarsMax = 8000

    package let text: String

    /// Why a text is no problem.
    package enum Invalid: Error, Equatable {
        case empty
        /// Carries the number of scalars there were.
        case tooLong(Int)
    }

    /// Trims Unicode white space and checks the length.
    package init(_ text: String) throws(Invalid) {
        let scalars = text.unicodeScalars
        let isSpace: (Unicode.Scalar) -> Bool = { $0.properties.isWhitespace }
        guard let first = scalars.firstIndex(where: { !isSpace($0) }),
            let last = scalars.lastIndex(where: { !isSpace($0) })
        else { throw .empty }
        let trimmed = scalars[first...last]
        let count = trimmed.count
        guard count <= Self.scalarsMax else { throw .tooLong(count) }
        self.text = String(trimmed)
    }

    /// A text that was checked when it came in, read back from the store.
    package init(stored text: String) { self.text = text }
}

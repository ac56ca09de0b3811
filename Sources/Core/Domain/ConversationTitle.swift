/// The title of a conversation: 1 to 200 Unicode scalars without white space around them.
package struct ConversationTitle: Sendable, Hashable {
    /// Upper limit in Unicode scalars, after trimming.
    package static let scalarsMax = 200
    /// Upper limit of a title that is derived from a problem.
    private static let derivedScalarsMax = 80

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
        guard trimmed.count <= Self.scalarsMax else { throw .tooLong(trimmed.count) }
        self.text = String(trimmed).storable
    }

    /// Derives a title from the beginning of a problem's first line.
    package init(of problem: MathProblem) {
        let line = problem.text.prefix { !$0.isNewline }
        guard line.unicodeScalars.count > Self.derivedScalarsMax else {
            text = String(line)
            return
        }
        text = String(line.unicodeScalars.prefix(Self.derivedScalarsMax - 1)) + "…"
    }
}

/// The name of a conversation: 1 to 200 Unicode scalars without white space around them.
package struct ConversationTitle: Sendable, Hashable {
    /// Upper limit in Unicode scalars, after trimming.
    package static let scalarsMax = 200
    /// Upper limit of a title that is taken from a question.
    private static let derivedScalarsMax = 80

    package let text: String

    /// Why a text is no title.
    package enum Invalid: Error, Equatable {
        case empty
        /// Carries the number of scalars there were.
        case tooLong(Int)
    }

    /// Trims Unicode white space, puts U+FFFD for U+0000, and checks the length.
    package init(_ text: String) throws(Invalid) {
        guard let trimmed = text.trimmedScalars else { throw .empty }
        guard trimmed.count <= Self.scalarsMax else { throw .tooLong(trimmed.count) }
        self.text = String(trimmed).storable
    }

    /// The beginning of a question's first line, for a conversation that nobody has named.
    package init(of problem: MathProblem) {
        let line = problem.text.prefix { !$0.isNewline }
        guard line.unicodeScalars.count > Self.derivedScalarsMax else {
            text = String(line)
            return
        }
        text = String(line.unicodeScalars.prefix(Self.derivedScalarsMax - 1)) + "…"
    }
}

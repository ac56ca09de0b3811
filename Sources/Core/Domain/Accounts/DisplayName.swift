/// The name of an account or of an API key, for people: 1 to 100 Unicode scalars without white space around them.
package struct DisplayName: Sendable, Hashable {
    package static let scalarsMax = 100

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
}

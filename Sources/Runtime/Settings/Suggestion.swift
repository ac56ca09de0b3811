internal import Console

/// Finds the known name nearest to an unknown one.
package enum Suggestion {
    /// The warning about a name in `.env` that is no setting.
    package static func warning(about name: String, known: [String]) -> String {
        let warning = ".env sets \(name), which is no setting"
        return nearest(to: name.uppercased(), in: known).map { "\(warning); did you mean \($0)?" } ?? warning
    }
}

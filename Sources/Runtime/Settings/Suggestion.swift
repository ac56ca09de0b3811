internal import Console

/// Finds the name that was probably meant.
enum Suggestion {
    /// The warning about a name in `.env` that is no setting.
    static func warning(about name: String, known: [String]) -> String {
        let warning = ".env sets \(name), which is no setting"
        return nearest(to: name.uppercased(), in: known).map { "\(warning); did you mean \($0)?" } ?? warning
    }
}

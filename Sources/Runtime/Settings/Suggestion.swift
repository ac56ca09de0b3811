/// Finds the name that was probably meant.
enum Suggestion {
    /// The warning about a name in `.env` that is no setting.
    static func warning(about name: String, known: [String]) -> String {
        let warning = ".env sets \(name), which is no setting"
        return nearest(to: name, in: known).map { "\(warning); did you mean \($0)?" } ?? warning
    }

    /// The known name with the fewest edits, at most one edit in four characters.
    static func nearest(to name: String, in known: [String]) -> String? {
        let upper = name.uppercased()
        let candidates = known.map { (name: $0, edits: distance(upper, $0)) }
        guard let best = candidates.min(by: { $0.edits < $1.edits }), best.edits <= max(1, upper.utf8.count / 4) else {
            return nil
        }
        return best.name
    }

    /// The Levenshtein distance in bytes.
    private static func distance(_ left: String, _ right: String) -> Int {
        let right = Array(right.utf8)
        var row = Array(0...right.count)
        for (index, byte) in left.utf8.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in right.indices {
                let replaced = diagonal + (byte == right[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(replaced, row[column] + 1, diagonal + 1)
            }
        }
        return row[right.count]
    }
}

/// Returns the known name with the fewest edits, at most one edit per three characters; nil if there is none.
///
/// Case-sensitive.
package func nearest(to name: String, in known: [String]) -> String? {
    let best = known.map { (name: $0, edits: editDistance(name, $0)) }.min { $0.edits < $1.edits }
    guard let best, best.edits <= max(1, name.utf8.count / 3) else { return nil }
    return best.name
}

/// The Levenshtein distance in bytes.
private func editDistance(_ left: String, _ right: String) -> Int {
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

internal import HTTPServer

/// Reads `Accept` (RFC 9110, section 12.5.1).
struct AcceptedTypes {
    /// How much a type is preferred: by the most specific range that covers it.
    private struct Preference {
        /// 0…1.
        let quality: Double
        /// 3 for the type itself, 2 for its group (`text/*`), 1 for `*/*`.
        let specificity: Int
        /// Position in the header.
        let position: Int
    }

    private let ranges: [(name: String, quality: Double)]

    /// Everything is accepted where the header is absent or empty.
    init(_ header: String?) {
        ranges = HeaderElement.list(header).filter { $0.name.contains("/") }.map { range in
            let quality = range[parameter: "q"].flatMap { Double($0) } ?? 1
            return (range.name, quality.isFinite ? min(max(quality, 0), 1) : 1)
        }
    }

    private func preference(for type: String) -> Preference? {
        guard !ranges.isEmpty else { return Preference(quality: 1, specificity: 1, position: 0) }
        let group = type.prefix { $0 != "/" } + "/*"
        for (specificity, name) in [(3, type), (2, String(group)), (1, "*/*")] {
            if let position = ranges.firstIndex(where: { $0.name == name }) {
                return Preference(quality: ranges[position].quality, specificity: specificity, position: position)
            }
        }
        return nil
    }

    func accepts(_ type: String) -> Bool { preference(for: type).map { $0.quality > 0 } ?? false }

    /// True where `type` is preferred to `other`: by quality, then by the more specific range, then by position.
    ///
    /// False where neither is preferred: `other` is the default.
    func prefers(_ type: String, to other: String) -> Bool {
        guard let one = preference(for: type), one.quality > 0 else { return false }
        guard let another = preference(for: other) else { return true }
        if one.quality != another.quality { return one.quality > another.quality }
        if one.specificity != another.specificity { return one.specificity > another.specificity }
        return one.position < another.position
    }
}

/// Reads `Prefer: wait=N` (RFC 7240); nil without it, and for a value that is no whole number of seconds from 1 on.
///
/// More than 60 seconds, the contract's limit, counts as 60.
func preferredWait(_ header: String?) -> Duration? {
    for element in HeaderElement.list(header) {
        for (name, value) in [(element.name, element.value)] + element.parameters where name == "wait" {
            guard let value, !value.isEmpty, value.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { continue }
            // Digits that do not fit into an Int are more than 60.
            let seconds = min(Int(value) ?? 60, 60)
            if seconds > 0 { return .seconds(seconds) }
        }
    }
    return nil
}

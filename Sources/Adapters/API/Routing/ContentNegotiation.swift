internal import HTTPServer

/// Reads `Accept` (RFC 9110, section 12.5.1).
struct AcceptedTypes {
    /// How a type is wanted: by the most specific range that covers it.
    private struct Preference {
        /// 0…1.
        let quality: Double
        /// 3 where the type is named itself, 2 with its group (`text/*`), 1 with everything.
        let specificity: Int
        /// Place in the header.
        let place: Int
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
        guard !ranges.isEmpty else { return Preference(quality: 1, specificity: 1, place: 0) }
        let group = type.prefix { $0 != "/" } + "/*"
        for (specificity, name) in [(3, type), (2, String(group)), (1, "*/*")] {
            if let place = ranges.firstIndex(where: { $0.name == name }) {
                return Preference(quality: ranges[place].quality, specificity: specificity, place: place)
            }
        }
        return nil
    }

    func accepts(_ type: String) -> Bool { preference(for: type).map { $0.quality > 0 } ?? false }

    /// True where `type` is wanted more than `other`, which is the one to give where neither is: by quality, then by how
    /// exactly it is named, then by being named first.
    func prefers(_ type: String, to other: String) -> Bool {
        guard let one = preference(for: type), one.quality > 0 else { return false }
        guard let another = preference(for: other) else { return true }
        if one.quality != another.quality { return one.quality > another.quality }
        if one.specificity != another.specificity { return one.specificity > another.specificity }
        return one.place < another.place
    }
}

/// Reads `Prefer: wait=N` (RFC 7240); nil without it, and for values that are no whole number of seconds from 1 on.
///
/// More than the contract's 60 seconds counts as 60.
func preferredWait(_ header: String?) -> Duration? {
    for element in HeaderElement.list(header) {
        for (name, value) in [(element.name, element.value)] + element.parameters where name == "wait" {
            guard let value, !value.isEmpty, value.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { continue }
            // Digits that fit no Int are more than 60.
            let seconds = min(Int(value) ?? 60, 60)
            if seconds > 0 { return .seconds(seconds) }
        }
    }
    return nil
}

internal import HTTPServer

/// Reads `Accept` (RFC 9110, section 12.5.1).
struct AcceptedTypes {
    private var ranges: [(range: Substring, quality: Double)] = []

    /// Everything is accepted where the header is absent or empty.
    init(_ header: String?) {
        for member in (header ?? "").split(separator: ",") {
            let parts = member.split(separator: ";").map { $0.trimmed }
            guard let range = parts.first, range.contains("/") else { continue }
            let quality = parts.dropFirst().first { $0.lowercased().hasPrefix("q=") }
            ranges.append((Substring(range.lowercased()), quality.flatMap { Double($0.dropFirst(2)) } ?? 1))
        }
    }

    /// How much `type` is wanted, 0…1: the most specific range that covers it decides.
    func quality(of type: String) -> Double {
        guard !ranges.isEmpty else { return 1 }
        let group = type.prefix { $0 != "/" } + "/*"
        for candidate in [Substring(type), group, "*/*"] {
            if let range = ranges.last(where: { $0.range == candidate }) { return range.quality }
        }
        return 0
    }

    /// True where the header names `type` itself, not only by a wildcard.
    func names(_ type: String) -> Bool { ranges.contains { $0.range == type && $0.quality > 0 } }
}

/// Reads `Prefer: wait=N` (RFC 7240); nil without it, and for values that are no whole number of seconds from 1 on.
///
/// More than the contract's 60 seconds counts as 60.
func preferredWait(_ header: String?) -> Duration? {
    for preference in (header ?? "").split(whereSeparator: { $0 == "," || $0 == ";" }) {
        let parts = preference.split(separator: "=", maxSplits: 1).map { $0.trimmed }
        guard parts.count == 2, parts[0].lowercased() == "wait", let seconds = Int(parts[1]), seconds > 0 else {
            continue
        }
        return .seconds(min(seconds, 60))
    }
    return nil
}

extension Substring {
    /// Without spaces and tabs around it.
    var trimmed: Substring {
        var text = drop { $0 == " " || $0 == "\t" }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return text
    }
}

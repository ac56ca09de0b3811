/// Separates the thinking that a model writes into its answer, `<think>…</think>`, from the answer.
///
/// ```
///  start ──white space, then an opening tag──► thinking ──its closing tag──► answer
///    └──anything else──────────────────────────────────────────────────────────▲
/// ```
/// Only at the very start of an answer: later a tag is text. The text may be cut anywhere, in a tag too; what may yet become
/// a tag is held. White space behind either tag is dropped; more than 1 KiB of it before the first tag is answer. Each
/// character is read once, however the text is cut.
struct ThinkingSplitter {
    private static let tags = [
        (open: "<think>", close: "</think>"), (open: "<thinking>", close: "</thinking>"),
        (open: "<thought>", close: "</thought>"), (open: "[THINK]", close: "[/THINK]"),
    ]

    /// How much white space may precede an opening tag.
    private static let leadBytesMax = 1 << 10

    private enum State {
        case start
        case thinking(close: String, isFirst: Bool)
        /// Behind the closing tag, before the first word.
        case gap
        case answer
    }

    private var state = State.start
    /// White space at the start, before what is held.
    private var lead = ""
    private var held = ""

    /// True once all text is answer.
    var isOver: Bool { if case .answer = state { true } else { false } }

    /// Passes each part of `text` to `give`, with whether it is thinking.
    mutating func split(_ text: String, _ give: (_ isThinking: Bool, String) -> Void) {
        if isOver { return give(false, text) }
        held += text
        while advance(give) {}
    }

    /// Hands on what is held when nothing follows.
    mutating func finish(_ give: (_ isThinking: Bool, String) -> Void) {
        let isThinking = if case .thinking = state { true } else { false }
        let rest = lead + held
        (lead, held) = ("", "")
        if !rest.isEmpty { give(isThinking, rest) }
    }

    /// One step of the machine; false where it needs more text.
    private mutating func advance(_ give: (_ isThinking: Bool, String) -> Void) -> Bool {
        switch state {
        case .start:
            return begin(give)
        case .thinking(let close, let isFirst):
            return think(until: close, isFirst, give)
        case .gap:
            held = String(held.drop(while: \.isWhitespace))
            guard !held.isEmpty else { return false }
            state = .answer
            return pass(give)
        case .answer:
            return pass(give)
        }
    }

    private mutating func begin(_ give: (_ isThinking: Bool, String) -> Void) -> Bool {
        let text = held.drop(while: \.isWhitespace)
        lead += held[..<text.startIndex]
        held = String(text)
        if lead.utf8.count <= Self.leadBytesMax {
            if let tag = Self.tags.first(where: { held.hasPrefix($0.open) }) {
                lead = ""
                held = String(held.dropFirst(tag.open.count))
                state = .thinking(close: tag.close, isFirst: true)
                return true
            }
            if Self.tags.contains(where: { $0.open.hasPrefix(held) }) { return false }
        }
        held = lead + held
        lead = ""
        state = .answer
        return pass(give)
    }

    private mutating func pass(_ give: (_ isThinking: Bool, String) -> Void) -> Bool {
        if !held.isEmpty { give(false, held) }
        held = ""
        return false
    }

    private mutating func think(
        until close: String,
        _ isFirst: Bool,
        _ give: (_ isThinking: Bool, String) -> Void
    ) -> Bool {
        if isFirst { held = String(held.drop(while: \.isWhitespace)) }
        guard !held.isEmpty else { return false }
        if let end = held.firstRange(of: close) {
            let thought = held[..<end.lowerBound]
            if !thought.isEmpty { give(true, String(thought)) }
            held = String(held[end.upperBound...])
            state = .gap
            return true
        }
        let kept = held.longestSuffix(beginning: close)
        let thought = held.dropLast(kept)
        if !thought.isEmpty {
            give(true, String(thought))
            state = .thinking(close: close, isFirst: false)
        }
        held = String(held.suffix(kept))
        return false
    }
}

extension String {
    /// How many characters at the end of this text are a beginning of `other`.
    fileprivate func longestSuffix(beginning other: String) -> Int {
        var length = Swift.min(count, other.count - 1)
        while length > 0, !other.hasPrefix(suffix(length)) { length -= 1 }
        return length
    }
}

internal import Application

/// The text of an answer on its way to the sink.
///
/// ```
///  reasoning ─► whole characters ───────────────────────────────────► sink
///  answer ────► whole characters ─► thinking split off ─► not blank ─► sink
/// ```
/// Blank text at the start is held until something that can be seen follows: an answer of nothing else is none, and no
/// first token. Loop-owned.
struct AnswerTexts {
    /// All text of an answer.
    private static let bytesMax = 1 << 20

    private let sink: any AnswerSink
    private var reasoning = SurrogateJoiner()
    private var answer = SurrogateJoiner()
    private var thinking = ThinkingSplitter()
    private var blank = ""
    /// All that was taken, held and dropped text included.
    private var bytes = 0
    /// True once the answer has something that can be seen.
    private(set) var hasAnswer = false

    init(into sink: any AnswerSink) { self.sink = sink }

    /// True for an answer that does not end: it is cut like one that reaches its limit.
    var isTooLong: Bool { bytes > Self.bytesMax }

    mutating func take(_ chunk: ProviderChunk) {
        bytes += chunk.reasoning.utf8.count + chunk.answer.utf8.count
        if !chunk.reasoning.isEmpty { emit(.reasoning, reasoning.join(chunk.reasoning)) }
        if !chunk.answer.isEmpty { split(answer.join(chunk.answer)) }
    }

    /// Hands on what is held when nothing follows.
    mutating func finish() {
        emit(.reasoning, reasoning.finish())
        split(answer.finish())
        var parts: [(isThinking: Bool, text: String)] = []
        thinking.finish { parts.append(($0, $1)) }
        for part in parts { emit(part) }
    }

    private mutating func split(_ text: String) {
        if hasAnswer, thinking.isOver { return emit(.token, text) }
        var parts: [(isThinking: Bool, text: String)] = []
        thinking.split(text) { parts.append(($0, $1)) }
        for part in parts { emit(part) }
    }

    private mutating func emit(_ part: (isThinking: Bool, text: String)) {
        if part.isThinking { return emit(.reasoning, part.text) }
        if hasAnswer { return emit(.token, part.text) }
        if part.text.isBlank {
            // What is beyond the limit is cut anyway.
            if !isTooLong { blank += part.text }
            return
        }
        hasAnswer = true
        emit(.token, blank + part.text)
        blank = ""
    }

    private mutating func emit(_ kind: AnswerText, _ text: String) {
        if !text.isEmpty { sink.receive(kind, text) }
    }
}

extension String {
    /// True where nothing of it can be seen: white space, and characters of no width.
    fileprivate var isBlank: Bool {
        unicodeScalars.allSatisfy { scalar in
            let properties = scalar.properties
            if properties.isWhitespace || properties.isDefaultIgnorableCodePoint { return true }
            switch properties.generalCategory {
            case .control, .format: return true
            case _: return false
            }
        }
    }
}

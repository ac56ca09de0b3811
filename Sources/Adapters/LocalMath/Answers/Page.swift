/// The answer as it is written: words go out one by one, each with the white space behind it.
final class Page {
    private let emit: (String) -> Void
    private var isEmpty = true

    init(emit: @escaping (String) -> Void) { self.emit = emit }

    /// A paragraph of its own.
    func say(_ paragraph: String) {
        if !isEmpty { emit("\n\n") }
        isEmpty = false
        var word = ""
        var previous: Character = "a"
        for character in paragraph {
            if previous == " " || previous == "\n", character != " " {
                emit(word)
                word = ""
            }
            word.append(character)
            previous = character
        }
        if !word.isEmpty { emit(word) }
    }

    /// Display math.
    func display(_ content: String) { say("\\[\(content)\\]") }

    /// The last line.
    func answer(_ content: String) { say("**Answer:** \\(\(content)\\)") }

    /// The last line, in words.
    func answer(words: String) { say("**Answer:** \(words)") }
}

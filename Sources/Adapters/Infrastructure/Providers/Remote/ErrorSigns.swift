/// Distinguishes an error from a piece of an answer and from data that is neither.
enum ErrorSigns {
    private static let successWords: Set<String> = ["", "ok", "success", "none", "null", "false"]
    /// Names of members that only errors have, in lower case and without word separators.
    private static let errorNames: Set<String> = [
        "error", "errors", "err", "exception", "errormessage", "errormsg", "errorcode", "errortype", "errno",
    ]
    /// Members that wrap a payload.
    private static let wrappers = ["response", "result", "data"]

    /// The error in a value that may be a piece of an answer; nil if it is one, or has no sign of an error.
    static func find(in value: JSONValue) -> ReportedError? {
        if let error = member(of: value) { return error }
        for name in wrappers { if let inner = value[name], let error = member(of: inner) { return error } }
        if let base = value["base_resp"], let code = base.first(of: "status_code", "code"), isTelling(code) {
            return ErrorReport.read(base, of: value)
        }
        guard !isPiece(value), isError(value) else { return nil }
        return ErrorReport.read(value, of: value)
    }

    /// The error that is a member of `value`.
    static func member(of value: JSONValue) -> ReportedError? {
        guard case .object(let members) = value else { return nil }
        let telling = members.filter { isErrorName($0.name) && isTelling($0.value) }
        // An object or a text has more information than a number.
        let error = telling.first { $0.value.isObject } ?? telling.first
        return error.map { ErrorReport.read($0.value, of: value) }
    }

    /// The error of a choice, or of what it holds.
    static func choice(_ choice: JSONValue) -> ReportedError? {
        if let error = member(of: choice) { return error }
        for name in ["delta", "message", "content"] {
            if let inner = choice[name], let error = member(of: inner) { return error }
        }
        let isFailed = choice["status"]?.string.map(isErrorWord) ?? false
        return isFailed ? ErrorReport.read(choice, of: choice) : nil
    }

    /// The error in a value that is no object, such as `"Internal Server Error"` or `500`.
    static func bare(_ value: JSONValue) -> ReportedError? {
        switch value {
        case .number: (400...599).contains(value.integer ?? 0) ? ErrorReport.read(value, of: value) : nil
        case .string(let text): isErrorWord(text) ? ErrorReport.read(value, of: value) : nil
        case .null, .bool, .array, .object: nil
        }
    }

    /// True for an object with a message that is neither a piece of an answer nor surely an error, and for words.
    static func isDoubtful(_ value: JSONValue) -> Bool {
        if let words = value.string { return isTelling(.string(words)) }
        guard !isPiece(value), !isPing(value) else { return false }
        return [value["message"], value["msg"]].contains { $0?.string.map { isTelling(.string($0)) } ?? false }
    }

    /// True for one or more words of which one names an error.
    static func isErrorWord(_ text: String) -> Bool {
        text.lowercased().split { !$0.isLetter }.contains { word in
            ["error", "errors", "err", "fail", "failed", "failure", "exception"].contains(word)
                || word.hasPrefix("abort") || word.hasSuffix("error") || word.hasSuffix("exception")
        }
    }

    private static func isErrorName(_ name: String) -> Bool {
        errorNames.contains(name.lowercased().filter { $0.isLetter })
    }

    /// True for a piece of an answer.
    private static func isPiece(_ value: JSONValue) -> Bool {
        guard let choices = value.first(of: "choices", "candidates") else { return false }
        return choices != .array([])
    }

    private static func isPing(_ value: JSONValue) -> Bool {
        let kinds = ["type", "object", "event"].compactMap { value[$0]?.string?.lowercased() }
        return kinds.contains { kind in ["ping", "heart", "keep"].contains { kind.contains($0) } }
    }

    /// Whether an object without a part of an answer is an error as a whole.
    private static func isError(_ value: JSONValue) -> Bool {
        let kinds = ["object", "type", "status", "event"].compactMap { value[$0]?.string }
        if kinds.contains(where: isErrorWord) || ["success", "ok"].contains(where: { value[$0] == .bool(false) }) {
            return true
        }
        if ErrorReport.status(of: value) != nil { return true }
        let words = value.first(of: "message", "msg", "detail")
        guard let words, isTelling(words), !isPing(value) else { return false }
        return value["message"] == nil && value["msg"] == nil
    }

    /// False for a value that means no error: null, empty, blank, a word of success, a status of 2xx.
    private static func isTelling(_ value: JSONValue) -> Bool {
        switch value {
        case .null: return false
        case .bool(let flag): return flag
        case .number(let text): return Double(text) != 0 && !(200...299).contains(value.integer ?? 0)
        case .string(let text):
            let word = text.lowercased().filter { !$0.isWhitespace }
            return Double(word) != nil ? isTelling(.number(word)) : !successWords.contains(word)
        case .array(let values): return values.contains(where: isTelling)
        case .object(let members): return members.contains { isTelling($0.value) }
        }
    }
}

/// What a provider reports as an error, wherever it puts it: an `error` member in OpenAI's or Google's manner, a bare text,
/// a list, or an object that is an error as a whole.
///
/// Its words are left alone, because they may repeat the question or the key; they only decide what is left out of the
/// next request (``RefusedParts``).
enum ErrorReport {
    private static let accessCodes: Set<String> = [
        "API_KEY_INVALID", "API_KEY_SERVICE_BLOCKED", "API_KEY_HTTP_REFERRER_BLOCKED", "API_KEY_IP_ADDRESS_BLOCKED",
        "BILLING_DISABLED", "CONSUMER_SUSPENDED", "SERVICE_DISABLED", "FAILED_PRECONDITION", "PERMISSION_DENIED",
        "UNAUTHENTICATED", "invalid_api_key", "insufficient_quota", "account_deactivated", "billing_not_active",
        "billing_hard_limit_reached",
    ]
    private static let busyCodes: Set<String> = ["rate_limit_exceeded", "RESOURCE_EXHAUSTED", "too_many_requests"]
    private static let successWords: Set<String> = ["", "ok", "success", "none", "null", "false", "0"]
    private static let statusMembers = ["code", "status", "status_code", "statusCode", "http_status", "error_code"]

    /// The error in a value that may be a piece of an answer; nil where it is one, or says nothing of an error.
    static func find(in value: JSONValue) -> ReportedError? {
        if let error = member(of: value) { return error }
        guard !isPiece(value), isError(value) else { return nil }
        return read(value, of: value)
    }

    /// The error that is a member of `value`.
    static func member(of value: JSONValue) -> ReportedError? {
        for name in ["error", "errors"] {
            if let member = value[name], isTelling(member) { return read(member, of: value) }
        }
        return nil
    }

    /// True for an object with a message that is neither a piece of an answer nor surely an error.
    static func isDoubtful(_ value: JSONValue) -> Bool {
        guard !isPiece(value), !isPing(value) else { return false }
        return [value["message"], value["msg"]].contains { $0?.string.map { isTelling(.string($0)) } ?? false }
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

    /// Reads a value that is known to stand for an error.
    static func read(_ value: JSONValue) -> ReportedError {
        let first = value.elements.first ?? value
        return read(first.first(of: "error", "errors", "fault") ?? first, of: first)
    }

    /// Whether an object without a part of an answer is an error as a whole.
    private static func isError(_ value: JSONValue) -> Bool {
        let kinds = ["object", "type", "status", "event"].compactMap { value[$0]?.string?.lowercased() }
        if kinds.contains(where: {
            ["error", "failed"].contains($0) || $0.hasSuffix("_error") || $0.hasSuffix(".error")
        })
            || value["success"] == .bool(false)
        {
            return true
        }
        let words = value.first(of: "message", "msg", "detail", "error_msg", "error_message")
        guard let words, isTelling(words), !isPing(value) else { return false }
        return status(of: value) != nil || value["message"] == nil && value["msg"] == nil
    }

    /// False for what stands for no error: nothing, an empty or a blank value, words of success.
    private static func isTelling(_ value: JSONValue) -> Bool {
        switch value {
        case .null: false
        case .bool(let flag): flag
        case .number(let text): Double(text) != 0 && !(200...299).contains(value.integer ?? 0)
        case .string(let text): !successWords.contains(text.lowercased().filter { !$0.isWhitespace })
        case .array(let values): values.contains(where: isTelling)
        case .object(let members): members.contains { isTelling($0.value) }
        }
    }

    private static func read(_ value: JSONValue, of whole: JSONValue) -> ReportedError {
        let value = value.elements.first ?? value
        var error = ReportedError()
        let names = ["code", "status", "type", "reason"].compactMap { value[$0]?.string }
        let details = value["details"]?.elements ?? []
        let reasons = details.compactMap { $0["reason"]?.string }
        error.status = status(of: value) ?? status(of: whole) ?? value.integer.flatMap(status)
        if error.status == nil, !busyCodes.isDisjoint(with: names) { error.status = 429 }
        error.isAboutAccess =
            !accessCodes.isDisjoint(with: names + reasons)
            || error.status == 400 && isAboutAccess(value["message"]?.string ?? "")
        error.code = (reasons + names).first(where: isName)
        error.retryAfter = RetryHint.inBody(value, details) ?? RetryHint.inBody(whole, [])
        error.refused = RefusedParts(words: whole)
        return error
    }

    /// Some servers have no name for a wrong key, and call it a bad request.
    private static func isAboutAccess(_ message: String) -> Bool {
        let words = message.lowercased()
        return ["api key", "api_key", "apikey", "credit balance", "billing"].contains { words.contains($0) }
    }

    /// The HTTP status that an object names.
    private static func status(of value: JSONValue) -> Int? {
        statusMembers.lazy.compactMap { value[$0]?.integer.flatMap(status) }.first
    }

    private static func status(_ number: Int) -> Int? { (400...599).contains(number) ? number : nil }

    /// A short name: neither a number nor a sentence, and nothing that a key could be.
    private static func isName(_ text: String) -> Bool {
        text.utf8.count <= 40 && Int(text) == nil && !text.isEmpty
            && text.unicodeScalars.allSatisfy { $0 == "_" || $0 == "." || ("a"..."z" ~= $0) || ("A"..."Z" ~= $0) }
    }
}

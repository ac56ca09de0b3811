/// What a provider reports as an error, wherever it puts it: an `error` member in OpenAI's or Google's manner, a bare text,
/// a list, or an object that is an error as a whole.
///
/// Its text is never passed on, because it may repeat the problem or the key. It only decides what is left out of the
/// next request (``RefusedParts``) and whether the content is at fault (``ContentFault``).
enum ErrorReport {
    private static let accessCodes: Set<String> = [
        "API_KEY_INVALID", "API_KEY_SERVICE_BLOCKED", "API_KEY_HTTP_REFERRER_BLOCKED", "API_KEY_IP_ADDRESS_BLOCKED",
        "BILLING_DISABLED", "CONSUMER_SUSPENDED", "SERVICE_DISABLED", "FAILED_PRECONDITION", "PERMISSION_DENIED",
        "UNAUTHENTICATED", "invalid_api_key", "insufficient_quota", "account_deactivated", "billing_not_active",
        "billing_hard_limit_reached",
    ]
    private static let busyCodes: Set<String> = [
        "rate_limit_exceeded", "rate_limit_error", "RESOURCE_EXHAUSTED", "too_many_requests",
    ]
    private static let overloadCodes: Set<String> = [
        "overloaded_error", "overloaded", "server_overloaded", "UNAVAILABLE",
    ]
    private static let statusMembers = ["code", "status", "status_code", "statusCode", "http_status", "error_code"]

    /// Reads a value that is known to be an error.
    static func read(_ value: JSONValue) -> ReportedError {
        let first = value.elements.first ?? value
        return read(first.first(of: "error", "errors", "fault") ?? first, of: first)
    }

    /// Reads an error that is all of `whole` or a member of it.
    static func read(_ value: JSONValue, of whole: JSONValue) -> ReportedError {
        let value = value.elements.first ?? value
        var error = ReportedError()
        let names = ["code", "status", "type", "reason"].compactMap { value[$0]?.string }
        let details = value["details"]?.elements ?? []
        let reasons = details.compactMap { $0["reason"]?.string }
        error.status = status(of: value) ?? status(of: whole) ?? value.integer.flatMap(status)
        if error.status ?? 400 == 400 {
            // Some servers call everything a bad request.
            if !busyCodes.isDisjoint(with: names) { error.status = 429 }
            if !overloadCodes.isDisjoint(with: names) { error.status = 503 }
        }
        error.isAboutAccess =
            !accessCodes.isDisjoint(with: names + reasons)
            || error.status == 400 && isAboutAccess(value["message"]?.string ?? "")
        error.code = (reasons + names).first(where: isName)
        error.retryAfter = RetryHint.inBody(value, details) ?? RetryHint.inBody(whole, [])
        error.refused = RefusedParts(words: whole)
        error.contentFault = ContentFault(of: whole)
        return error
    }

    /// Some servers have no name for a wrong key, and call it a bad request.
    private static func isAboutAccess(_ message: String) -> Bool {
        let words = message.lowercased()
        return ["api key", "api_key", "apikey", "credit balance", "billing"].contains { words.contains($0) }
    }

    /// The HTTP status that an object names.
    static func status(of value: JSONValue) -> Int? {
        statusMembers.lazy.compactMap { value[$0]?.integer.flatMap(status) }.first
    }

    private static func status(_ number: Int) -> Int? { (400...599).contains(number) ? number : nil }

    /// A short name: neither a number nor a sentence, and nothing that a key could be.
    private static func isName(_ text: String) -> Bool {
        text.utf8.count <= 40 && Int(text) == nil && !text.isEmpty
            && text.unicodeScalars.allSatisfy { $0 == "_" || $0 == "." || ("a"..."z" ~= $0) || ("A"..."Z" ~= $0) }
    }
}

/// The `error` member of a provider's answer: an object in OpenAI's or Google's manner, or a bare text.
///
/// Its message is left alone, because it may repeat the question or the key. Whatever form it has, it is an error.
struct ErrorReport: Decodable {
    private static let accessCodes: Set<String> = [
        "API_KEY_INVALID", "invalid_api_key", "insufficient_quota", "FAILED_PRECONDITION", "PERMISSION_DENIED",
        "UNAUTHENTICATED",
    ]

    private enum Member: String, CodingKey {
        case code, type, status, details
    }

    private struct Detail: Decodable {
        let reason: String?
    }

    private(set) var reported = ReportedError()

    init(from decoder: any Decoder) {
        guard let members = try? decoder.container(keyedBy: Member.self) else { return }
        let names = [Member.code, .status, .type].compactMap { try? members.decode(String.self, forKey: $0) }
        let reasons = ((try? members.decode([Detail].self, forKey: .details)) ?? []).compactMap(\.reason)
        let number = (try? members.decode(Int.self, forKey: .code)) ?? names.lazy.compactMap { Int($0) }.first
        reported.status = number.flatMap { (400...599).contains($0) ? $0 : nil }
        reported.isAboutAccess = !Self.accessCodes.isDisjoint(with: names + reasons)
        reported.code = (reasons + names).first(where: Self.isName)
    }

    /// A short name: neither a number nor a sentence, and nothing that a key could be.
    private static func isName(_ text: String) -> Bool {
        text.utf8.count <= 40 && Int(text) == nil && !text.isEmpty
            && text.unicodeScalars.allSatisfy { $0 == "_" || $0 == "." || ("a"..."z" ~= $0) || ("A"..."Z" ~= $0) }
    }
}

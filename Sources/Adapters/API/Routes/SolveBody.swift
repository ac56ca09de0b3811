internal import Application
internal import Console
internal import Domain
internal import Shared

/// The body of `POST /api/math/solve`.
struct SolveBody: Decodable {
    struct Options: Decodable {
        let values: [SolveOption: SolveOption.Value]
        /// Members that are no option: a misspelt option is not ignored.
        let unknown: [String]

        private struct Key: CodingKey {
            let stringValue: String
            var intValue: Int? { nil }
            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        init(from decoder: any Decoder) throws {
            let members = try decoder.container(keyedBy: Key.self)
            var values: [SolveOption: SolveOption.Value] = [:]
            for option in SolveOption.allCases {
                let key = Key(stringValue: option.rawValue)
                values[option] =
                    switch option.rule {
                    case .number: try members.numberIfPresent(forKey: key).map { .number($0) }
                    case .integer: try members.numberIfPresent(forKey: key).map { .integer($0) }
                    case .choice: try members.decodeIfPresent(String.self, forKey: key).map { .text($0) }
                    }
            }
            self.values = values
            unknown = members.allKeys.map(\.stringValue).filter { SolveOption(rawValue: $0) == nil }.sorted()
        }

        /// An error for each unknown member, with the option that was probably meant.
        var errors: [ValidationFailure.FieldError] {
            let known = SolveOption.allCases.map(\.rawValue)
            return unknown.map { name in
                let meant = nearest(to: name.lowercased(), in: known.map { $0.lowercased() })
                    .flatMap { lower in known.first { $0.lowercased() == lower } }
                let hint = meant.map { "did you mean \($0)?" } ?? "there are \(known.joined(separator: ", "))"
                return .init(field: "options.\(name.prefix(64))", message: "is no option; \(hint)")
            }
        }
    }

    let problem: String?
    let conversationId: String?
    let provider: String?
    let options: Options?

    static func input(from context: RequestContext) throws(APIProblem) -> SolveInput {
        let body = try context.body(as: SolveBody.self)
        if let errors = body.options?.errors, !errors.isEmpty { throw .invalid(ValidationFailure(errors)) }
        var conversationID: ConversationID?
        if let text = body.conversationId {
            guard let id = ConversationID(text) else {
                throw APIProblem(.malformedRequest, "conversationId must be a UUID.")
            }
            conversationID = id
        }
        return SolveInput(
            problem: body.problem,
            conversationID: conversationID,
            provider: body.provider,
            options: body.options?.values ?? [:],
        )
    }
}

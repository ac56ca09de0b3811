internal import Application
internal import Console
internal import HTTPServer
internal import Shared

/// The body of `POST /api/math/solve`.
struct SolveBody: Decodable {
    struct Options: Decodable {
        let temperature: Double?
        let maxOutputTokens: Int?
        let onDisconnect: String?
        let onBusy: String?

        /// Members that no option has: a misspelt option would be dropped in silence.
        let unknown: [String]

        private enum CodingKeys: String, CodingKey, CaseIterable {
            case temperature, maxOutputTokens, onDisconnect, onBusy
        }

        private struct AnyKey: CodingKey {
            let stringValue: String
            var intValue: Int? { nil }
            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        init(from decoder: any Decoder) throws {
            let members = try decoder.container(keyedBy: CodingKeys.self)
            let names = try decoder.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue)
            unknown = names.filter { CodingKeys(stringValue: $0) == nil }.sorted()
            temperature = try Self.number(.temperature, in: members)
            maxOutputTokens = try Self.number(.maxOutputTokens, in: members)
            onDisconnect = try members.decodeIfPresent(String.self, forKey: .onDisconnect)
            onBusy = try members.decodeIfPresent(String.self, forKey: .onBusy)
        }

        /// What is wrong with each unknown member, naming the option that was probably meant.
        var errors: [ValidationFailure.FieldError] {
            let known = CodingKeys.allCases.map(\.stringValue)
            return unknown.map { name in
                let meant = nearest(to: name.lowercased(), in: known.map { $0.lowercased() })
                    .flatMap { lower in known.first { $0.lowercased() == lower } }
                let hint = meant.map { "did you mean \($0)?" } ?? "there are \(known.joined(separator: ", "))"
                return .init(field: "options.\(name.prefix(64))", message: "is no option; \(hint)")
            }
        }

        /// A number that the type cannot hold is a wrong type like any other; Foundation throws an error of its own for
        /// it, which ends as malformed JSON without a place.
        private static func number<Number: Decodable>(
            _ key: CodingKeys,
            in members: KeyedDecodingContainer<CodingKeys>
        ) throws -> Number? {
            do {
                return try members.decodeIfPresent(Number.self, forKey: key)
            } catch let error as DecodingError {
                throw error
            } catch {
                let place = DecodingError.Context(
                    codingPath: members.codingPath + [key],
                    debugDescription: "the number does not fit",
                )
                throw DecodingError.typeMismatch(Number.self, place)
            }
        }
    }

    let problem: String?
    let conversationId: String?
    let provider: String?
    let options: Options?

    static func input(from request: HTTPRequest) throws(APIProblem) -> SolveInput {
        let body = try JSONBody.decode(SolveBody.self, from: request)
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
            temperature: body.options?.temperature,
            maxOutputTokens: body.options?.maxOutputTokens,
            onDisconnect: body.options?.onDisconnect,
            onBusy: body.options?.onBusy,
        )
    }
}

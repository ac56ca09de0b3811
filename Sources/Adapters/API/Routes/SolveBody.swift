internal import Application
internal import HTTPServer
internal import Shared

/// The body of `POST /api/math/solve`.
struct SolveBody: Decodable {
    struct Options: Decodable {
        let temperature: Double?
        let maxOutputTokens: Int?
        let onDisconnect: String?
        let onBusy: String?

        private enum CodingKeys: String, CodingKey {
            case temperature, maxOutputTokens, onDisconnect, onBusy
        }

        init(from decoder: any Decoder) throws {
            let members = try decoder.container(keyedBy: CodingKeys.self)
            temperature = try Self.number(.temperature, in: members)
            maxOutputTokens = try Self.number(.maxOutputTokens, in: members)
            onDisconnect = try members.decodeIfPresent(String.self, forKey: .onDisconnect)
            onBusy = try members.decodeIfPresent(String.self, forKey: .onBusy)
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

    static func input(from request: HTTPRequest) throws(Problem) -> SolveInput {
        let body = try JSONBody.decode(SolveBody.self, from: request)
        var conversationID: ConversationID?
        if let text = body.conversationId {
            guard let id = ConversationID(text) else {
                throw Problem(.malformedRequest, "conversationId must be a UUID in lower case.")
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

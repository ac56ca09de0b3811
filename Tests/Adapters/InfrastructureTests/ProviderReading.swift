import Application
import Domain

@testable import HTTPClient
@testable import Infrastructure

/// Records everything that a provider sends, without a loop.
final class Notes: AnswerSink {
    var reasoning: [String] = []
    var answer: [String] = []
    var usage: TokenUsage?

    func receive(_ kind: AnswerText, _ text: String) {
        switch kind {
        case .token: answer.append(text)
        case .reasoning: reasoning.append(text)
        }
    }

    func take(_ account: ProviderAccount) { usage = account.usage }
    var hasRoom: Bool { true }
    func waitForRoom() async throws(CancellationError) {}
}

/// How a client reads one response.
struct Reading: Equatable {
    let end: Result<FinishReason, ProviderFailure>
    let reasoning: [String]
    let answer: [String]
    let usage: TokenUsage?

    /// `error` is that of the request, nil for a response that ended in good order.
    init(
        _ pieces: [ArraySlice<UInt8>],
        _ head: HTTPClientResponse,
        _ dialect: any ProviderDialect,
        _ error: HTTPClientError? = nil
    ) {
        let notes = Notes()
        let answer = RemoteAnswer(dialect, into: notes)
        _ = answer.begin(head)
        reading: for piece in pieces {
            switch answer.take(piece.span) {
            case .proceed, .conclude, .pause: continue
            case .enough, .stop: break reading
            }
        }
        do throws(ProviderFailure) { end = .success(try answer.end(error)) } catch { end = .failure(error) }
        reasoning = notes.reasoning
        self.answer = notes.answer
        usage = notes.usage
    }
}

/// An OpenAI-style and a Gemini-style provider at an address that is never called.
let spokenDialects: [any ProviderDialect] = {
    let endpoint = ProviderEndpoint(baseURL: "http://host", model: "m", apiKey: nil)
    return [OpenAIDialect(endpoint), GeminiDialect(endpoint)]
}()

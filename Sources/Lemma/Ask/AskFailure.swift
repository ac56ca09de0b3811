internal import HTTPClient

/// Why there is no answer, other than by an event of the request's stream.
struct AskFailure: Error {
    /// For a person, one sentence or more.
    let words: String
    /// The problem document that the server sent, JSON; nil where it sent none.
    let problem: [UInt8]?

    init(_ words: String) {
        self.words = words
        problem = nil
    }

    /// A response that is no success.
    init(_ response: HTTPClientResponse, _ body: [UInt8]) {
        words = Reply.words(status: response.status, retryAfter: response["retry-after"], body)
        problem = Reply.decode(Reply.Problem.self, body) == nil ? nil : body
    }
}

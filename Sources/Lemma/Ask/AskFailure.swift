internal import HTTPClient

/// Why there is no answer, other than by an event of the request's stream.
struct AskFailure: Error {
    /// For a person, one sentence or more.
    let words: String
    /// The status of the server's answer; nil where it gave none.
    let status: Int?
    /// The problem document that the server sent, JSON; nil where it sent none.
    let problem: [UInt8]?

    init(_ words: String) {
        self.words = words
        status = nil
        problem = nil
    }

    /// A response that is no success.
    init(_ response: HTTPClientResponse, _ body: [UInt8]) {
        words = Reply.words(status: response.status, retryAfter: response["retry-after"], body)
        status = response.status
        problem = Reply.decode(Reply.Problem.self, body) == nil ? nil : body
    }

    /// The same with a line that says what to do.
    init(_ failure: AskFailure, advice: String) {
        words = "\(failure.words)\n\(advice)"
        status = failure.status
        problem = failure.problem
    }
}

internal import Domain
internal import Shared

/// Estimates the tokens of a submission before it runs, for the reservation of its submitter's budget.
///
/// Input is the problem, and in a conversation that exists the largest context; output is the client's own limit, or
/// ``answerTokens``. What a request did not use is given back when its end is archived.
package struct SubmissionEstimate: Sendable {
    /// The standard for an answer without `maxOutputTokens`: about three pages.
    package static let answerTokens = 2048

    private let contextTokensMax: Int

    /// `contextTokensMax` is the limit of the earlier turns that a provider gets.
    package init(contextTokensMax: Int) { self.contextTokensMax = contextTokensMax }

    func tokens(of request: MathRequest, in standing: ConversationStanding) -> Int {
        let problem = TokenUsage.estimate(utf8Bytes: request.problem.text.utf8.count)
        let context =
            switch standing {
            case .new: 0
            case .named, .confirmed: contextTokensMax
            }
        return problem + context + (request.options.maxOutputTokens ?? Self.answerTokens)
    }
}

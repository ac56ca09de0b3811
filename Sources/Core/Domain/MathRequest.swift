package import Shared

/// One problem on its way to an answer.
package struct MathRequest: Sendable {
    package let correlationID: CorrelationID
    package let conversationID: ConversationID
    package let userID: UserID
    package let problem: MathProblem
    /// The provider the client asked for; nil leaves the choice to the worker.
    package let requestedProvider: String?
    package let options: SolveOptions
    /// Where in a trace it was submitted, where it was in one.
    package let trace: TraceCarrier?

    package init(
        correlationID: CorrelationID,
        conversationID: ConversationID,
        userID: UserID,
        problem: MathProblem,
        requestedProvider: String?,
        options: SolveOptions,
        trace: TraceCarrier? = nil
    ) {
        self.correlationID = correlationID
        self.conversationID = conversationID
        self.userID = userID
        self.problem = problem
        self.requestedProvider = requestedProvider
        self.options = options
        self.trace = trace
    }
}

/// Where a request stands.
///
/// ```
///  queued ──claim──► running ──finish──► completed | failed | cancelled
///     └───────────────cancel───────────────────────────────────►┘
/// ```
package enum RequestStatus: String, Sendable, CaseIterable {
    case queued
    case running
    case completed
    case failed
    case cancelled

    /// True once nothing follows.
    package var isTerminal: Bool {
        switch self {
        case .queued, .running: false
        case .completed, .failed, .cancelled: true
        }
    }
}

/// Why an answer ended by itself.
package enum FinishReason: String, Sendable, CaseIterable {
    case stop
    case length
    case contentFilter = "content_filter"
}

/// Why a request ended without an answer of its own.
package enum CancelReason: String, Sendable, CaseIterable {
    case requested
    case disconnected
    case interrupted
    case conversationDeleted = "conversation_deleted"
}

/// Why an attempt followed an earlier one.
package enum RestartReason: String, Sendable {
    case workerLost = "worker_lost"
    case handedOver = "handed_over"
    case providerFailed = "provider_failed"
    case historyLost = "history_lost"
}

/// Provider tokens that an answer took.
package struct TokenUsage: Sendable, Hashable {
    package var inputTokens: Int
    /// Those of the model's thinking included.
    package var outputTokens: Int
    /// Tokens of the model's thinking, where the provider tells.
    package var reasoningTokens: Int?
    /// True where the provider did not tell and we counted.
    package var isEstimated: Bool

    package init(inputTokens: Int, outputTokens: Int, reasoningTokens: Int? = nil, isEstimated: Bool) {
        self.inputTokens = inputTokens
        self.outputTokens = outputTokens
        self.reasoningTokens = reasoningTokens
        self.isEstimated = isEstimated
    }

    /// Tokens of a text where nobody has counted them: one for every four bytes of UTF-8, rounded up.
    ///
    /// Providers count differently. English prose has four to five bytes a token, formulas about three, and scripts of
    /// two or three bytes a letter one to two letters: what is estimated may be a third more.
    package static func estimate(utf8Bytes bytes: Int) -> Int { (bytes + bytesPerToken - 1) / bytesPerToken }

    /// The longest text that is estimated at no more than `tokens`, in UTF-8 bytes.
    package static func utf8Bytes(ofTokens tokens: Int) -> Int { tokens * bytesPerToken }

    private static let bytesPerToken = 4

    package static let none = TokenUsage(inputTokens: 0, outputTokens: 0, isEstimated: false)
}

/// Why a request failed, as its client is told.
package struct RequestFailure: Sendable, Equatable, Error {
    package let kind: ProblemKind
    /// A sentence for the client; names no secret and no inner address.
    package let detail: String

    package init(kind: ProblemKind, detail: String) {
        self.kind = kind
        self.detail = detail
    }
}

package import Shared

/// A submitted problem with its ids and options.
package struct MathRequest: Sendable {
    package let correlationID: CorrelationID
    package let conversationID: ConversationID
    package let userID: UserID
    package let problem: MathProblem
    /// The provider that the client requested; nil leaves the choice to the worker.
    package let requestedProvider: String?
    package let options: SolveOptions
    /// The span that submitted it; nil without a trace.
    package let trace: TraceCarrier?
    /// Nil where no tokens are reserved for it.
    package var reservation: TokenReservation?

    package init(
        correlationID: CorrelationID,
        conversationID: ConversationID,
        userID: UserID,
        problem: MathProblem,
        requestedProvider: String?,
        options: SolveOptions,
        trace: TraceCarrier? = nil,
        reservation: TokenReservation? = nil
    ) {
        self.correlationID = correlationID
        self.conversationID = conversationID
        self.userID = userID
        self.problem = problem
        self.requestedProvider = requestedProvider
        self.options = options
        self.trace = trace
        self.reservation = reservation
    }
}

/// Where tokens are reserved for a request until its end is archived; the text is opaque to all but the store of limits.
package struct TokenReservation: Sendable, Hashable {
    package let text: String
    package init(_ text: String) { self.text = text }
}

/// The state of a request.
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

    /// True for the states that are final.
    package var isTerminal: Bool {
        switch self {
        case .queued, .running: false
        case .completed, .failed, .cancelled: true
        }
    }
}

/// Why the provider ended an answer.
package enum FinishReason: String, Sendable, CaseIterable {
    case stop
    case length
    case contentFilter = "content_filter"
}

/// Why a request was cancelled.
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

/// Provider tokens used for an answer.
package struct TokenUsage: Sendable, Hashable {
    package var inputTokens: Int
    /// Includes the tokens of the model's reasoning.
    package var outputTokens: Int
    /// Tokens of the model's reasoning; nil where the provider does not report them.
    package var reasoningTokens: Int?
    /// True where the provider reported no usage and this program estimated it.
    package var isEstimated: Bool

    package init(inputTokens: Int, outputTokens: Int, reasoningTokens: Int? = nil, isEstimated: Bool) {
        self.inputTokens = inputTokens
        self.outputTokens = outputTokens
        self.reasoningTokens = reasoningTokens
        self.isEstimated = isEstimated
    }

    /// An estimate of the tokens of a text: one for every four bytes of UTF-8, rounded up.
    ///
    /// Providers count differently. English prose has four to five bytes a token, formulas about three, and scripts of
    /// two or three bytes a letter one to two letters: an estimate may be a third too high.
    package static func estimate(utf8Bytes bytes: Int) -> Int { (bytes + bytesPerToken - 1) / bytesPerToken }

    /// The length of the longest text whose estimate is at most `tokens`, in UTF-8 bytes.
    package static func utf8Bytes(ofTokens tokens: Int) -> Int { tokens * bytesPerToken }

    private static let bytesPerToken = 4

    package static let none = TokenUsage(inputTokens: 0, outputTokens: 0, isEstimated: false)
}

/// Why a request failed, as its client reads it.
package struct RequestFailure: Sendable, Equatable, Error {
    package let kind: ProblemKind
    /// A sentence for the client, without secrets and internal addresses.
    package let detail: String

    package init(kind: ProblemKind, detail: String) {
        self.kind = kind
        self.detail = detail
    }
}

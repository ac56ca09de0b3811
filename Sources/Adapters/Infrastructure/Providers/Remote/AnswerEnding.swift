internal import Domain

/// Whether an answer is whole, by all that its provider has said of its end.
///
/// ```
///  open ──a reason behind the text──► firm: the answer is whole, whatever happens to its connection
///   │ ▲ └─a reason beside text, or ahead of it──► loose: whole with the end of the response
///   │ └──text──────────────────────────────────────┴──(from firm too: such a server's reasons are never firm again)
///   └──[DONE]──► over
/// ```
/// Of several reasons the worst counts, until text follows them. An answer whose only reason came ahead of all text is
/// whole with the end of its response.
struct AnswerEnding {
    /// Why the answer ends, by the last word on that.
    private(set) var reason: FinishReason?
    /// True where only usage and formalities can follow.
    private(set) var isFirm = false
    /// The last word of the protocol was said: nothing counts behind it.
    var isOver = false
    /// True after words that are no part of the protocol: something may be missing.
    var isDoubtful = false
    /// True after something torn behind a reason.
    var isTorn = false
    /// True once text came behind a reason.
    private var wasWrong = false
    /// The reason that came ahead of all text, where none came behind it.
    private var earlyReason: FinishReason?
    private var hadText = false
    private var hasDocument = false

    mutating func take(_ chunk: ProviderChunk, hasText: Bool, hasAnswer: Bool) {
        if chunk.isDocument { hasDocument = true }
        if hasText, let voided = reason {
            earlyReason = hadText ? nil : voided
            reason = nil
            isFirm = false
            wasWrong = true
        }
        hadText = hadText || hasText
        guard case .finished(let end) = chunk.end else { return }
        // An answer that is not there yet cannot be at its end; one that is filtered or too long can.
        isFirm = isFirm || reason == nil && !hasText && !wasWrong && (hasAnswer || end != .stop)
        reason = reason?.worse(of: end) ?? end
    }

    /// The provider reports that a filter ends the answer.
    mutating func filter() {
        reason = .contentFilter
        isOver = true
    }

    /// The reason of a complete answer; nil if it may be cut.
    ///
    /// `isOrderly` is true if the response has ended as its framing requires.
    func reason(_ isOrderly: Bool, isCancelled: Bool, _ reader: ResponseReader) -> FinishReason? {
        if isOver { return reason ?? (isDoubtful ? nil : .stop) }
        if isFirm { return reason }
        if isTorn { return nil }
        if isOrderly {
            let isWhole = hasDocument && reader.isSingleDocument
            return reason ?? (isDoubtful ? nil : earlyReason) ?? (isWhole ? .stop : nil)
        }
        // Silence behind a reason until a time limit expired.
        return isCancelled && !wasWrong ? reason : nil
    }
}

extension FinishReason {
    /// How much of an answer may be missing.
    private var loss: Int {
        switch self {
        case .stop: 0
        case .length: 1
        case .contentFilter: 2
        }
    }

    func worse(of other: Self) -> Self { other.loss > loss ? other : self }
}

extension ProviderEnd {
    /// The end with the greater loss.
    func worse(of other: Self) -> Self {
        guard case .finished(let reason) = self, case .finished(let another) = other else { return .brokenOff }
        return .finished(reason.worse(of: another))
    }
}

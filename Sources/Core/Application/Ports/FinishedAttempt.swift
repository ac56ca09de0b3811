package import Domain
package import Shared

/// The end of a request, with the content of its terminal event and its record.
package struct FinishedAttempt: Sendable {
    package let claim: JobClaim
    package let outcome: AnswerOutcome
    /// The text of the answer, complete or not, from the writer of the last attempt.
    ///
    /// Nil from any other caller: the store then reads it from the answer log.
    package let answer: String?
    /// The provider that answered, or would have, and its usage.
    package let account: ProviderAccount
    /// From the start of the attempt; nil where no token came.
    package let firstTokenMilliseconds: Int?
    /// From the start of the attempt.
    package let durationMilliseconds: Int

    package init(
        claim: JobClaim,
        outcome: AnswerOutcome,
        answer: String?,
        account: ProviderAccount,
        firstTokenMilliseconds: Int?,
        durationMilliseconds: Int
    ) {
        self.claim = claim
        self.outcome = outcome
        self.answer = answer
        self.account = account
        self.firstTokenMilliseconds = firstTokenMilliseconds
        self.durationMilliseconds = durationMilliseconds
    }
}

/// The place of a terminal event in the stream.
package enum FinishPlace: Sendable, Equatable {
    /// Exactly this id; another last event means that events were lost or that a newer attempt has begun. A marker's
    /// id is the place of a caller that is not the writer of the last attempt.
    case id(EventID)
    /// After the last event of this attempt, whichever that is.
    case afterLast
}

package enum FinishResult: Sendable, Equatable {
    /// This call ended the request.
    case finished
    /// The request was over already, or a newer attempt runs.
    case superseded
    /// The stream is shorter than this attempt wrote it: nothing was ended; the caller begins a new attempt.
    case historyLost
}

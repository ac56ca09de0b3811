package import Domain
package import Shared

/// What is known of a request right now.
package struct RequestRecord: Sendable {
    package let request: MathRequest
    package let status: RequestStatus
    package let attempts: Int
    package let createdAt: Timestamp
    package let startedAt: Timestamp?
    package let finishedAt: Timestamp?
    package let provider: String?
    package let model: String?
    package let finishReason: FinishReason?
    package let usage: TokenUsage?
    package let failure: RequestFailure?
    /// The job's number in its queue, from which its place in line follows; nil while the request waits for the one
    /// before it in its conversation.
    package let jobNumber: Int?
    /// The furthest event of each attempt that was delivered and then lost by the store, as far as that was noticed.
    package let lost: [EventID]
    /// True where the owner has deleted the conversation: for clients there is no such request.
    package var isDeleted = false

    package init(
        request: MathRequest,
        status: RequestStatus,
        attempts: Int,
        createdAt: Timestamp,
        startedAt: Timestamp?,
        finishedAt: Timestamp?,
        provider: String?,
        model: String?,
        finishReason: FinishReason?,
        usage: TokenUsage?,
        failure: RequestFailure?,
        jobNumber: Int?,
        lost: [EventID]
    ) {
        self.request = request
        self.status = status
        self.attempts = attempts
        self.createdAt = createdAt
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        self.provider = provider
        self.model = model
        self.finishReason = finishReason
        self.usage = usage
        self.failure = failure
        self.jobNumber = jobNumber
        self.lost = lost
    }

    /// True where the event that a client means by `cursor` may be a lost one, whose id another has by now: the store
    /// forgot that an attempt had begun, and the next one got its number.
    package func isLost(_ cursor: EventID) -> Bool {
        cursor.sequence > 0 && lost.contains { $0.attempt == cursor.attempt && cursor.sequence <= $0.sequence }
    }
}

/// Reads and cancels requests.
package protocol RequestRepository {
    /// Nil for an id nobody submitted, or one that has expired.
    func find(_ id: CorrelationID) async throws(RepositoryFailure) -> RequestRecord?
    /// The text of the newest attempt so far; nil where its events have expired.
    func answer(of id: CorrelationID) async throws(RepositoryFailure) -> String?
    /// The id of the newest event; nil where the events have expired.
    func lastEvent(of id: CorrelationID) async throws(RepositoryFailure) -> EventID?
    /// Notes that a client claims to have an event which the store has lost, so that its id is not taken for that of another
    /// event later; see ``RequestRecord/isLost(_:)``. Does nothing for a request that is unknown, or that cannot have had
    /// the event.
    func noteLost(_ event: EventID, of id: CorrelationID) async throws(RepositoryFailure)
    /// Ends a waiting request at once, or asks the worker of a running one to.
    func cancel(_ request: MathRequest, _ reason: CancelReason) async throws(RepositoryFailure) -> CancelResult
}

package enum CancelResult: Sendable, Equatable {
    /// The request is over, by this call or before it.
    case over
    /// Its worker has been asked.
    case asked
    case unknown
}

package enum RepositoryFailure: Error, Equatable {
    /// The store is away; try again after a pause.
    case unavailable
}

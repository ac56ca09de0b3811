package import Domain
package import Shared

/// The present state of a request.
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
    /// The job's number, from which its queue position follows; nil while the request waits in its conversation's queue.
    package let jobNumber: Int?
    /// The last event of each attempt that was delivered and then lost by the store, as far as that was noticed.
    package let lost: [EventID]
    /// True where the owner has deleted the conversation: clients get 404.
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

    /// True where `cursor` may name a lost event, whose id another event has by now: the store lost the marker of an attempt,
    /// and the next attempt got the same number.
    package func isLost(_ cursor: EventID) -> Bool {
        cursor.sequence > 0 && lost.contains { $0.attempt == cursor.attempt && cursor.sequence <= $0.sequence }
    }
}

/// Reads and cancels requests.
package protocol RequestRepository {
    /// Nil for an unknown or expired id.
    func find(_ id: CorrelationID) async throws(RepositoryFailure) -> RequestRecord?
    /// The text of the newest attempt; nil where its events have expired.
    func answer(of id: CorrelationID) async throws(RepositoryFailure) -> String?
    /// The id of the newest event; nil where the events have expired.
    func lastEvent(of id: CorrelationID) async throws(RepositoryFailure) -> EventID?
    /// Notes that a client claims to have an event which the store has lost, so that its id is not mistaken for that of a
    /// later event; see ``RequestRecord/isLost(_:)``. Does nothing for a request that is unknown, or that cannot have had
    /// the event.
    func noteLost(_ event: EventID, of id: CorrelationID) async throws(RepositoryFailure)
    /// Ends a waiting request at once, or asks the worker of a running one to end it.
    func cancel(_ request: MathRequest, _ reason: CancelReason) async throws(RepositoryFailure) -> CancelResult
}

package enum CancelResult: Sendable, Equatable {
    /// The request is over, by this call or an earlier one.
    case over
    /// Its worker was asked to end it.
    case asked
    case unknown
}

package enum RepositoryFailure: Error, Equatable {
    /// The store cannot be reached; the caller may retry after a pause.
    case unavailable
}

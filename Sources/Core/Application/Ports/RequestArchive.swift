package import Domain
package import Shared

/// Requests as they are kept for good, long after their stream has expired.
package protocol RequestArchive {
    /// Keeps a batch of what happened to requests, all or nothing.
    ///
    /// Idempotent by correlation id, and independent of the order: an entry that is kept already, or that a later one has
    /// overtaken, changes nothing. A conversation that does not exist yet is opened by its first entry, whose
    /// question gives it its title; entries of a deleted one are dropped.
    func keep(_ entries: [ArchiveEntry]) async throws(ArchiveFailure)
    /// A request of this user; nil where there is none.
    func find(_ id: CorrelationID, of user: UserID) async throws(RepositoryFailure) -> ArchivedRequest?
    /// True where the user has deleted the conversation of a request that ``find(_:of:)`` does not know.
    ///
    /// A deletion leaves the conversation's id alone, so the request is matched by its lane and by the time of its id: one
    /// in 65,536 other requests of a user who deleted a conversation since is taken for a deleted one.
    func isDeleted(_ id: CorrelationID, of user: UserID) async throws(RepositoryFailure) -> Bool
    /// The last `limit` requests of a conversation that are over and have an answer's text, the oldest first, each with at
    /// most `textMax` Unicode scalars of that.
    func recentTurns(
        of conversation: ConversationID,
        limit: Int,
        textMax: Int
    ) async throws(RepositoryFailure) -> [ConversationTurn]
}

/// What the archive is told of a request.
package enum ArchiveEntry: Sendable {
    /// It was accepted at this moment.
    case submitted(MathRequest, createdAt: Timestamp)
    /// It is over.
    case finished(FinishedRequest)

    package var request: MathRequest {
        switch self {
        case .submitted(let request, _): request
        case .finished(let finished): finished.request
        }
    }
}

/// What the archive has of a request.
package enum ArchivedRequest: Sendable {
    /// Accepted, and not over as far as the archive knows.
    case open(MathRequest, createdAt: Timestamp)
    /// Over; the answer is known by an id of its own.
    case finished(FinishedRequest, ResponseID)

    package var request: MathRequest {
        switch self {
        case .open(let request, _): request
        case .finished(let finished, _): finished.request
        }
    }
}

extension RequestRecord {
    /// A request that is over, as it was kept.
    package init(kept finished: FinishedRequest) {
        self.init(
            request: finished.request,
            status: finished.status,
            attempts: finished.attempts,
            createdAt: finished.createdAt,
            startedAt: finished.startedAt,
            finishedAt: finished.finishedAt,
            provider: finished.provider,
            model: finished.model,
            finishReason: finished.finishReason,
            usage: finished.usage,
            failure: finished.failure,
            jobNumber: nil,
            lost: [],
        )
    }
}

package enum ArchiveFailure: Error, Equatable {
    /// The database is away or refuses for now; the same batch may be kept later.
    case unavailable
    /// The database refuses this batch for good: one of its entries cannot be kept. Kept one by one, the others can.
    case refused(detail: String)
}

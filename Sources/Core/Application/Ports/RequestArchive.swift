package import Domain
package import Shared

/// The permanent storage of requests and answers.
package protocol RequestArchive {
    /// Stores a batch, all or nothing.
    ///
    /// Idempotent by correlation id and independent of the order: an entry that is stored already, or older than the stored
    /// one, changes nothing. The first entry of a conversation creates it, with its question as the title; entries of a
    /// deleted conversation are dropped.
    ///
    /// A new request and a new answer are added to the usage of their user, once each.
    ///
    /// Returns the accounts of the batch that do not exist or whose erasure has begun: all their entries, and those of their
    /// end users, were discarded, and the caller erases what the queue's store has of them.
    @discardableResult
    func add(_ entries: [ArchiveEntry]) async throws(ArchiveFailure) -> Set<AccountID>
    /// A request of this user; nil where there is none.
    func find(_ id: CorrelationID, of user: UserID) async throws(RepositoryFailure) -> ArchivedRequest?
    /// True where the user has deleted the conversation of a request that ``find(_:of:)`` does not know.
    ///
    /// A deletion leaves only the conversation's id, so the request is matched by the lane and the time of its id. After a
    /// deletion, one in 65,536 of the user's other unknown requests counts as deleted.
    func isDeleted(_ id: CorrelationID, of user: UserID) async throws(RepositoryFailure) -> Bool
    /// The last `limit` ended requests of a conversation that have an answer's text, oldest first; each text is cut to
    /// `textMax` Unicode scalars.
    func recentTurns(
        of conversation: ConversationID,
        limit: Int,
        textMax: Int
    ) async throws(RepositoryFailure) -> [ConversationTurn]
}

/// A record for the archive.
package enum ArchiveEntry: Sendable {
    /// The request was accepted at this moment.
    case submitted(MathRequest, createdAt: Timestamp)
    /// The request ended.
    case finished(FinishedRequest)

    package var request: MathRequest {
        switch self {
        case .submitted(let request, _): request
        case .finished(let finished): finished.request
        }
    }
}

/// A request in the archive.
package enum ArchivedRequest: Sendable {
    /// Accepted; the archive has no end of it.
    case open(MathRequest, createdAt: Timestamp)
    /// Ended; the answer has an id of its own.
    case finished(FinishedRequest, ResponseID)

    package var request: MathRequest {
        switch self {
        case .open(let request, _): request
        case .finished(let finished, _): finished.request
        }
    }
}

extension RequestRecord {
    /// An ended request, from the archive.
    package init(archived finished: FinishedRequest) {
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
    /// The database cannot be reached or rejects calls for now; the caller retries the same batch.
    case unavailable
    /// The database rejects this batch permanently because of one of its entries; the others can be added alone.
    case refused(detail: String)
}

package import Domain
package import Shared

/// Decides what a viewer of a stream is given, before the first byte of the response.
package struct WatchAnswer: Query {
    package let correlationID: CorrelationID
    package let userID: UserID
    /// The last event the viewer has; nil to begin with the first.
    package let cursor: EventID?
    /// True where a valid ticket proves that the server once accepted this request.
    package let isKnown: Bool

    package init(correlationID: CorrelationID, userID: UserID, cursor: EventID?, isKnown: Bool) {
        self.correlationID = correlationID
        self.userID = userID
        self.cursor = cursor
        self.isKnown = isKnown
    }

    package enum Output: Sendable {
        /// Deliver what follows the cursor.
        case events(RequestRecord, after: EventID?)
        /// The store knows less than the viewer has seen: say so, then deliver everything.
        case reset(RequestRecord)
        /// The events have expired: deliver what was kept.
        case replay(FinishedRequest, ReplayStart)
        /// The viewer has it all and nothing follows.
        case nothingFollows
    }

    /// Where the replay of a kept answer begins for a viewer.
    package enum ReplayStart: Sendable {
        /// With the answer.
        case answer
        /// With the answer, after a `reset`: the viewer has events that are gone.
        case reset
        /// With the terminal event: the viewer has the answer.
        case end
    }

    package enum Failure: Error, Equatable {
        case notFound
        /// The request is known, but its events have expired and nothing of its end was kept.
        case gone
        case unavailable
    }
}

package struct WatchAnswerHandler: QueryHandler {
    private let requests: any RequestRepository
    private let archive: any RequestArchive

    /// `archive` has what `requests` has forgotten.
    package init(requests: any RequestRepository, archive: any RequestArchive) {
        self.requests = requests
        self.archive = archive
    }

    package func handle(_ query: WatchAnswer) async throws(WatchAnswer.Failure) -> WatchAnswer.Output {
        do {
            guard let record = try await requests.find(query.correlationID) else {
                return try await archived(query, isKnown: query.isKnown)
            }
            guard record.request.userID == query.userID, !record.isDeleted else { throw WatchAnswer.Failure.notFound }
            guard query.cursor != nil || record.status.isTerminal else { return .events(record, after: nil) }
            guard let last = try await requests.lastEvent(of: query.correlationID) else {
                return try await archived(query, isKnown: true)
            }
            guard let cursor = query.cursor else { return .events(record, after: nil) }
            if cursor > last {
                // Before the client is told: it may break off with the old cursor, and be back when that exists anew.
                if !record.status.isTerminal { try await requests.distrust(cursor, of: query.correlationID) }
                return .reset(record)
            }
            // First, because it must stop a client that has seen the end, and that asks again until it is told so.
            if cursor == last, record.status.isTerminal { return .nothingFollows }
            if record.doubts(cursor) { return .reset(record) }
            return .events(record, after: cursor)
        } catch let error as WatchAnswer.Failure {
            throw error
        } catch {
            throw .unavailable
        }
    }

    private func archived(_ query: WatchAnswer, isKnown: Bool) async throws -> WatchAnswer.Output {
        switch try await archive.find(query.correlationID, of: query.userID) {
        case .finished(let finished, _):
            let ids = finished.replayIDs
            guard let cursor = query.cursor else { return .replay(finished, .answer) }
            if cursor == ids.end { return .nothingFollows }
            return .replay(finished, cursor == ids.before ? .end : .reset)
        case .open: throw WatchAnswer.Failure.gone
        case nil:
            // Once deleted, a request is unknown to everybody, also to the holder of its ticket.
            guard isKnown, !(try await archive.isDeleted(query.correlationID, of: query.userID)) else {
                throw WatchAnswer.Failure.notFound
            }
            throw WatchAnswer.Failure.gone
        }
    }
}

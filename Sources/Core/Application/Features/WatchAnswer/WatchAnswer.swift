package import Domain
package import Shared

/// Decides where the deliveries to a viewer start, before the first byte of the response.
package struct WatchAnswer: Query {
    package let correlationID: CorrelationID
    package let userID: UserID
    /// The last event the viewer has; nil to start with the first.
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
        case events(RequestRecord, from: AnswerStart)
        /// The events have expired: deliver what is archived.
        case replay(FinishedRequest, from: ReplayStart)
        /// The viewer has the terminal event.
        case nothingFollows
    }

    package enum Failure: Error, Equatable {
        case notFound
        /// The request is known, but its events have expired and its end was not archived.
        case gone
        case unavailable
    }
}

package struct WatchAnswerHandler: QueryHandler {
    private let requests: any RequestRepository
    private let archive: any RequestArchive

    /// `archive` has the requests that have expired in `requests`.
    package init(requests: any RequestRepository, archive: any RequestArchive) {
        self.requests = requests
        self.archive = archive
    }

    package func handle(_ query: WatchAnswer) async throws(WatchAnswer.Failure) -> WatchAnswer.Output {
        do {
            // Another user's request takes the way of an unknown one, so that neither reply nor time tells them apart.
            let found = try await requests.find(query.correlationID)
            guard let record = found, record.request.userID == query.userID else {
                return try await archived(query, isKnown: query.isKnown && found == nil)
            }
            guard !record.isDeleted else { throw WatchAnswer.Failure.notFound }
            guard query.cursor != nil || record.status.isTerminal else { return .events(record, from: .first) }
            guard let last = try await requests.lastEvent(of: query.correlationID) else {
                return try await archived(query, isKnown: true)
            }
            guard let cursor = query.cursor else { return .events(record, from: .first) }
            if cursor > last {
                // Before the reset: the client may disconnect with the old cursor and reconnect when another event has
                // that id.
                if !record.status.isTerminal { try await requests.noteLost(cursor, of: query.correlationID) }
                return .events(record, from: .reset)
            }
            // First, because a client that has seen the end reconnects until it gets this answer.
            if cursor == last, record.status.isTerminal { return .nothingFollows }
            if record.isLost(cursor) { return .events(record, from: .reset) }
            return .events(record, from: .after(cursor))
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
            guard let cursor = query.cursor else { return .replay(finished, from: .answer) }
            if cursor == ids.end { return .nothingFollows }
            return .replay(finished, from: cursor == ids.before ? .end : .reset)
        case .open: throw WatchAnswer.Failure.gone
        case nil:
            // A deleted request is unknown to every client, including the holder of its ticket.
            guard isKnown, !(try await archive.isDeleted(query.correlationID, of: query.userID)) else {
                throw WatchAnswer.Failure.notFound
            }
            throw WatchAnswer.Failure.gone
        }
    }
}

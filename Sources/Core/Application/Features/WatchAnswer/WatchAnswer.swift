internal import Domain
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
        /// The viewer has it all and nothing follows.
        case nothingFollows
    }

    package enum Failure: Error, Equatable {
        case notFound
        /// The request is known, its events are not any more.
        case gone
        case unavailable
    }
}

package struct WatchAnswerHandler: QueryHandler {
    private let requests: any RequestRepository

    package init(requests: any RequestRepository) { self.requests = requests }

    package func handle(_ query: WatchAnswer) async throws(WatchAnswer.Failure) -> WatchAnswer.Output {
        do {
            guard let record = try await requests.find(query.correlationID) else {
                throw query.isKnown ? WatchAnswer.Failure.gone : .notFound
            }
            guard record.request.userID == query.userID else { throw WatchAnswer.Failure.notFound }
            guard query.cursor != nil || record.status.isTerminal else { return .events(record, after: nil) }
            guard let last = try await requests.lastEvent(of: query.correlationID) else {
                throw WatchAnswer.Failure.gone
            }
            guard let cursor = query.cursor else { return .events(record, after: nil) }
            if cursor > last { return .reset(record) }
            if cursor == last, record.status.isTerminal { return .nothingFollows }
            return .events(record, after: cursor)
        } catch let error as WatchAnswer.Failure {
            throw error
        } catch {
            throw .unavailable
        }
    }
}

internal import Domain
package import Shared

/// Reads a request and its answer so far.
///
/// Another user's request is not found, like an unknown one, so that ids cannot be probed.
package struct ReadMathRequest: Query {
    package let correlationID: CorrelationID
    package let userID: UserID

    package init(correlationID: CorrelationID, userID: UserID) {
        self.correlationID = correlationID
        self.userID = userID
    }

    package struct Output: Sendable {
        package let record: RequestRecord
        /// The newest attempt's text; nil before an attempt has begun.
        package let answer: String?
    }

    package enum Failure: Error, Equatable {
        case notFound
        /// The request's events have expired, and the archive has no end of it.
        case gone
        case unavailable
    }
}

package struct ReadMathRequestHandler: QueryHandler {
    private let requests: any RequestRepository
    private let archive: any RequestArchive

    /// `archive` has the requests that have expired in `requests`.
    package init(requests: any RequestRepository, archive: any RequestArchive) {
        self.requests = requests
        self.archive = archive
    }

    package func handle(_ query: ReadMathRequest) async throws(ReadMathRequest.Failure) -> ReadMathRequest.Output {
        do {
            // Another user's request takes the way of an unknown one, so that neither reply nor time tells them apart.
            guard let record = try await requests.find(query.correlationID), record.request.userID == query.userID
            else {
                return try await archived(query)
            }
            guard !record.isDeleted else { throw ReadMathRequest.Failure.notFound }
            guard record.attempts > 0 else { return ReadMathRequest.Output(record: record, answer: nil) }
            let answer = try await requests.answer(of: query.correlationID)
            // The events can expire shortly before the other keys.
            if answer == nil, record.status.isTerminal { return try await archived(query) }
            return ReadMathRequest.Output(record: record, answer: answer)
        } catch let error as ReadMathRequest.Failure {
            throw error
        } catch {
            throw .unavailable
        }
    }

    private func archived(_ query: ReadMathRequest) async throws -> ReadMathRequest.Output {
        switch try await archive.find(query.correlationID, of: query.userID) {
        case .finished(let finished, _):
            return ReadMathRequest.Output(record: RequestRecord(archived: finished), answer: finished.answer)
        case .open: throw ReadMathRequest.Failure.gone
        case nil: throw ReadMathRequest.Failure.notFound
        }
    }
}

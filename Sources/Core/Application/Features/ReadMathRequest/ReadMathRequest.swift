internal import Domain
package import Shared

/// Reads a request and its answer so far.
///
/// Another user's request is answered like an unknown one, so that ids cannot be probed.
package struct ReadMathRequest: Query {
    package let correlationID: CorrelationID
    package let userID: UserID

    package init(correlationID: CorrelationID, userID: UserID) {
        self.correlationID = correlationID
        self.userID = userID
    }

    package struct Output: Sendable {
        package let record: RequestRecord
        /// The newest attempt's text; nil before an attempt has begun and after its events have expired.
        package let answer: String?
    }

    package enum Failure: Error, Equatable {
        case notFound
        case unavailable
    }
}

package struct ReadMathRequestHandler: QueryHandler {
    private let requests: any RequestRepository

    package init(requests: any RequestRepository) { self.requests = requests }

    package func handle(_ query: ReadMathRequest) async throws(ReadMathRequest.Failure) -> ReadMathRequest.Output {
        do {
            guard let record = try await requests.find(query.correlationID), record.request.userID == query.userID
            else { throw ReadMathRequest.Failure.notFound }
            let answer = record.attempts > 0 ? try await requests.answer(of: query.correlationID) : nil
            return ReadMathRequest.Output(record: record, answer: answer)
        } catch let error as ReadMathRequest.Failure {
            throw error
        } catch {
            throw .unavailable
        }
    }
}

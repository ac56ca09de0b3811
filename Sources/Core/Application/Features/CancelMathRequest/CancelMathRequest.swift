internal import Domain
package import Shared

/// Aborts a request.
///
/// Idempotent; where completion wins the race, the request stays completed.
package struct CancelMathRequest: Command {
    package let correlationID: CorrelationID
    package let userID: UserID

    package init(correlationID: CorrelationID, userID: UserID) {
        self.correlationID = correlationID
        self.userID = userID
    }

    package struct Output: Sendable {
        package let record: RequestRecord
        package let answer: String?
        package var isOver: Bool { record.status.isTerminal }
    }

    package enum Failure: Error, Equatable {
        case notFound
        case unavailable
    }
}

package struct CancelMathRequestHandler: CommandHandler {
    /// How long the answer waits for the worker to end a running request.
    private static let patience = Duration.milliseconds(500)
    private static let interval = Duration.milliseconds(10)

    private let requests: any RequestRepository
    private let clock: any MonotonicClock

    package init(requests: any RequestRepository, clock: any MonotonicClock) {
        self.requests = requests
        self.clock = clock
    }

    package func handle(
        _ command: CancelMathRequest
    ) async throws(CancelMathRequest.Failure) -> CancelMathRequest.Output {
        do {
            let id = command.correlationID
            guard var record = try await requests.find(id), record.request.userID == command.userID else {
                throw CancelMathRequest.Failure.notFound
            }
            if !record.status.isTerminal {
                _ = try await requests.cancel(record.request, .requested)
                let deadline = clock.now + Self.patience
                repeat {
                    guard let newer = try await requests.find(id) else { throw CancelMathRequest.Failure.notFound }
                    record = newer
                    if record.status.isTerminal { break }
                    try await clock.sleep(for: Self.interval)
                } while clock.now < deadline
            }
            let answer = record.attempts > 0 ? try await requests.answer(of: id) : nil
            return CancelMathRequest.Output(record: record, answer: answer)
        } catch let error as CancelMathRequest.Failure {
            throw error
        } catch {
            throw .unavailable
        }
    }
}

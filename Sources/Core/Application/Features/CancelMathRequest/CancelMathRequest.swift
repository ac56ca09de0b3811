internal import Domain
package import Shared

/// Cancels a request.
///
/// Idempotent. A request that ends by itself at the same moment keeps its own end.
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
        /// The request has expired, and the archive has no end of it.
        case gone
        case unavailable
    }
}

package struct CancelMathRequestHandler: CommandHandler {
    /// How long the reply waits for the worker to end a running request.
    private static let waitLimit = Duration.milliseconds(500)
    /// Period of reads without a push, which can be lost.
    private static let checkPeriod = Duration.milliseconds(250)

    private let requests: any RequestRepository
    private let archive: any RequestArchive
    private let ends: any RequestEnds
    private let clock: any MonotonicClock

    /// `archive` has the requests that have expired in `requests`.
    package init(
        requests: any RequestRepository,
        archive: any RequestArchive,
        ends: any RequestEnds,
        clock: any MonotonicClock
    ) {
        self.requests = requests
        self.archive = archive
        self.ends = ends
        self.clock = clock
    }

    package func handle(
        _ command: CancelMathRequest
    ) async throws(CancelMathRequest.Failure) -> CancelMathRequest.Output {
        do {
            let id = command.correlationID
            // Another user's request takes the way of an unknown one, so that neither reply nor time tells them apart.
            guard var record = try await requests.find(id), record.request.userID == command.userID else {
                return try await archived(command)
            }
            guard !record.isDeleted else { throw CancelMathRequest.Failure.notFound }
            if !record.status.isTerminal { record = try await cancelled(record) }
            let answer = record.attempts > 0 ? try await requests.answer(of: id) : nil
            return CancelMathRequest.Output(record: record, answer: answer)
        } catch let error as CancelMathRequest.Failure {
            throw error
        } catch {
            throw .unavailable
        }
    }

    /// The request after its cancellation; still running where its worker has not ended it within the limit.
    private func cancelled(_ record: RequestRecord) async throws -> RequestRecord {
        let id = record.request.correlationID
        _ = try await requests.cancel(record.request, .requested)
        let deadline = clock.now + Self.waitLimit
        while true {
            guard let newer = try await requests.find(id) else { throw CancelMathRequest.Failure.notFound }
            let left = deadline - clock.now
            guard !newer.status.isTerminal, left > .zero, !Task.isCancelled else { return newer }
            _ = await ends.waiter(for: newer.request).wait(within: min(left, Self.checkPeriod))
        }
    }

    private func archived(_ command: CancelMathRequest) async throws -> CancelMathRequest.Output {
        switch try await archive.find(command.correlationID, of: command.userID) {
        case .finished(let finished, _):
            return CancelMathRequest.Output(record: RequestRecord(archived: finished), answer: finished.answer)
        case .open: throw CancelMathRequest.Failure.gone
        case nil: throw CancelMathRequest.Failure.notFound
        }
    }
}

package import Shared

/// Submits a dead letter's problem again, as a new request that refers to the old one.
///
/// The old request stays failed, because every request has one end. The dead letter is deleted: a second redrive fails with
/// `unknown`.
package struct RedriveDeadLetter: Command {
    package let letter: DeadLetterName

    package init(letter: DeadLetterName) { self.letter = letter }

    /// The new request.
    package typealias Output = CorrelationID

    package enum Failure: Error, Equatable {
        case unknown
        /// The job is unreadable: it has no problem to submit.
        case unreadable
        /// The problem was deleted with its conversation.
        case conversationDeleted
        case unavailable
    }
}

package struct RedriveDeadLetterHandler: CommandHandler {
    private let letters: any DeadLetterRepository
    private let identifiers: IdentifierFactory

    package init(letters: any DeadLetterRepository, identifiers: IdentifierFactory) {
        self.letters = letters
        self.identifiers = identifiers
    }

    package func handle(_ command: RedriveDeadLetter) async throws(RedriveDeadLetter.Failure) -> CorrelationID {
        do {
            // Both requests share a partition.
            let old = try await letters.request(of: command.letter)
            let id: CorrelationID = old.map { identifiers.make(in: $0.bits.lane) } ?? identifiers.make()
            switch try await letters.redrive(command.letter, as: id) {
            case .redriven: return id
            case .unknown: throw RedriveDeadLetter.Failure.unknown
            case .unreadable: throw RedriveDeadLetter.Failure.unreadable
            case .conversationDeleted: throw RedriveDeadLetter.Failure.conversationDeleted
            }
        } catch let failure as RedriveDeadLetter.Failure {
            throw failure
        } catch {
            throw .unavailable
        }
    }
}

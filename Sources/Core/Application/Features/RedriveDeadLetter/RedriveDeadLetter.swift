package import Shared

/// Submits a dead letter's problem again, as a new request that remembers the old one.
///
/// The old request stays failed, because every request has one end. A letter is used up: redriving twice is `unknown`.
package struct RedriveDeadLetter: Command {
    package let letter: DeadLetterName

    package init(letter: DeadLetterName) { self.letter = letter }

    /// The new request.
    package typealias Output = CorrelationID

    package enum Failure: Error, Equatable {
        case unknown
        /// Nobody could read the job, so there is nothing to submit.
        case unreadable
        /// The conversation that the problem belonged to was deleted, and so was the problem with it.
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
            // Both are to be in one partition.
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

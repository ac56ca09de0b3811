/// Deletes a dead letter.
package struct DropDeadLetter: Command {
    package let letter: DeadLetterName

    package init(letter: DeadLetterName) { self.letter = letter }

    package typealias Output = Void

    package enum Failure: Error, Equatable {
        case unknown
        case unavailable
    }
}

package struct DropDeadLetterHandler: CommandHandler {
    private let letters: any DeadLetterRepository

    package init(letters: any DeadLetterRepository) { self.letters = letters }

    package func handle(_ command: DropDeadLetter) async throws(DropDeadLetter.Failure) {
        let isDropped: Bool
        do {
            isDropped = try await letters.drop(command.letter)
        } catch {
            throw .unavailable
        }
        guard isDropped else { throw .unknown }
    }
}

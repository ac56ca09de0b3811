internal import Domain
internal import Shared

package struct SolveMathProblemHandler: CommandHandler {
    private let validator: SolveMathProblemValidator
    private let publisher: any MessagePublisher
    private let identifiers: IdentifierFactory
    private let bus: any EventBus

    package init(
        validator: SolveMathProblemValidator,
        publisher: any MessagePublisher,
        identifiers: IdentifierFactory,
        bus: any EventBus
    ) {
        self.validator = validator
        self.publisher = publisher
        self.identifiers = identifiers
        self.bus = bus
    }

    package func handle(
        _ command: SolveMathProblem
    ) async throws(SolveMathProblem.Failure) -> SolveMathProblem.Output {
        let request = try makeRequest(command)
        let publication: Publication
        do {
            publication = try await publisher.publish(request)
        } catch {
            switch error {
            case .queueFull: throw .queueFull
            case .unavailable: throw .unavailable
            }
        }
        bus.publish(MathProblemSubmitted(correlationID: request.correlationID, position: publication.position))
        return SolveMathProblem.Output(request: request, publication: publication)
    }

    private func makeRequest(_ command: SolveMathProblem) throws(SolveMathProblem.Failure) -> MathRequest {
        let valid: SolveMathProblemValidator.Valid
        do {
            valid = try validator.validate(command.input)
        } catch {
            throw .invalid(error)
        }
        // Conversations are kept by a later part of the product; until then none exists that could be named.
        guard command.input.conversationID == nil else { throw .conversationNotFound }
        return MathRequest(
            correlationID: identifiers.make(),
            conversationID: identifiers.make(),
            userID: command.userID,
            problem: valid.problem,
            requestedProvider: valid.provider,
            options: valid.options,
        )
    }
}

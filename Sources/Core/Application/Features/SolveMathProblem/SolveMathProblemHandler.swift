internal import Domain
internal import Shared

package struct SolveMathProblemHandler: CommandHandler {
    private let validator: SolveMathProblemValidator
    private let publisher: any MessagePublisher
    private let identifiers: IdentifierFactory
    private let fingerprints: any Fingerprinting
    private let bus: any EventBus

    package init(
        validator: SolveMathProblemValidator,
        publisher: any MessagePublisher,
        identifiers: IdentifierFactory,
        fingerprints: any Fingerprinting,
        bus: any EventBus
    ) {
        self.validator = validator
        self.publisher = publisher
        self.identifiers = identifiers
        self.fingerprints = fingerprints
        self.bus = bus
    }

    package func handle(
        _ command: SolveMathProblem
    ) async throws(SolveMathProblem.Failure) -> SolveMathProblem.Output {
        let valid = try validated(command)
        let submission: IdempotentSubmission? = command.idempotencyKey.map { idempotentSubmission($0, command, valid) }
        let request = makeRequest(command, valid, submission)
        let publication: Publication
        do {
            publication = try await publisher.publish(request, as: submission)
        } catch {
            switch error {
            case .queueFull: throw .queueFull
            case .keyReused: throw .idempotencyKeyReused
            case .unavailable: throw .unavailable
            }
        }
        if publication.replayed == nil {
            bus.publish(MathProblemSubmitted(correlationID: request.correlationID, position: publication.position))
        }
        return SolveMathProblem.Output(
            correlationID: publication.replayed?.correlationID ?? request.correlationID,
            conversationID: publication.replayed?.conversationID ?? request.conversationID,
            createdAt: publication.createdAt,
            isReplay: publication.replayed != nil,
        )
    }

    private func validated(
        _ command: SolveMathProblem
    ) throws(SolveMathProblem.Failure) -> SolveMathProblemValidator.Valid {
        let valid: SolveMathProblemValidator.Valid
        do {
            valid = try validator.validate(command.input)
        } catch {
            throw .invalid(error)
        }
        // Conversations are kept by a later part of the product; until then none exists that could be named.
        guard command.input.conversationID == nil else { throw .conversationNotFound }
        return valid
    }

    /// Equal for submissions that mean the same, whatever their bytes were.
    private func idempotentSubmission(
        _ key: String,
        _ command: SolveMathProblem,
        _ valid: SolveMathProblemValidator.Valid
    ) -> IdempotentSubmission {
        let options = valid.options
        let meaning: [String] = [
            command.input.conversationID?.description ?? "",
            valid.provider ?? "",
            options.temperature.map { String($0) } ?? "",
            options.maxOutputTokens.map { String($0) } ?? "",
            options.onDisconnect.rawValue,
            options.onBusy.rawValue,
            valid.problem.text,
        ]
        return IdempotentSubmission(
            name: fingerprints.fingerprint("\(command.userID)\n\(key)"),
            meaning: fingerprints.fingerprint(meaning.joined(separator: "\n")),
        )
    }

    /// A submission under a key gets an id in the key's partition, so that both can be written together.
    private func makeRequest(
        _ command: SolveMathProblem,
        _ valid: SolveMathProblemValidator.Valid,
        _ submission: IdempotentSubmission?
    ) -> MathRequest {
        MathRequest(
            correlationID: submission.map { identifiers.make(ending: $0.name.prefix) } ?? identifiers.make(),
            conversationID: identifiers.make(),
            userID: command.userID,
            problem: valid.problem,
            requestedProvider: valid.provider,
            options: valid.options,
        )
    }
}

internal import Domain
internal import Shared

package struct SolveMathProblemHandler: CommandHandler {
    private let validator: SolveMathProblemValidator
    private let estimate: SubmissionEstimate
    private let admission: any SubmissionAdmission
    private let publisher: any MessagePublisher
    private let conversations: any ConversationRepository
    private let identifiers: IdentifierFactory
    private let fingerprints: any Fingerprinting
    private let bus: any EventBus

    package init(
        validator: SolveMathProblemValidator,
        estimate: SubmissionEstimate,
        admission: any SubmissionAdmission,
        publisher: any MessagePublisher,
        conversations: any ConversationRepository,
        identifiers: IdentifierFactory,
        fingerprints: any Fingerprinting,
        bus: any EventBus
    ) {
        self.validator = validator
        self.estimate = estimate
        self.admission = admission
        self.publisher = publisher
        self.conversations = conversations
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
        let standing: ConversationStanding = command.input.conversationID == nil ? .new : .named
        let result: Submission
        do throws(SolveMathProblem.Failure) {
            result = try await submit(request, by: command.submitter, in: standing, as: submission)
        } catch {
            if let refused = MathProblemRefused(error) { bus.publish(refused) }
            throw error
        }
        let publication = result.publication
        if let earlier = publication.replayed {
            return SolveMathProblem.Output(
                correlationID: earlier.correlationID,
                conversationID: earlier.conversationID,
                createdAt: publication.createdAt,
                accepted: nil,
                rate: result.rate,
            )
        }
        bus.publish(MathProblemSubmitted(correlationID: request.correlationID, position: publication.position))
        return SolveMathProblem.Output(
            correlationID: request.correlationID,
            conversationID: request.conversationID,
            createdAt: publication.createdAt,
            accepted: AcceptedRequest(
                request: request,
                createdAt: publication.createdAt,
                position: publication.position,
                jobNumber: publication.jobNumber,
            ),
            rate: result.rate,
        )
    }

    private struct Submission {
        let publication: Publication
        let rate: RateStanding?
    }

    /// Charges the submission to the limits, then publishes it; gives back what a submission that did not become a new
    /// request was charged.
    private func submit(
        _ request: MathRequest,
        by submitter: Submitter,
        in standing: ConversationStanding,
        as submission: IdempotentSubmission?
    ) async throws(SolveMathProblem.Failure) -> Submission {
        let charge = SubmissionCharge(
            submitter: submitter,
            request: request.correlationID,
            tokens: estimate.tokens(of: request, in: standing),
        )
        let admitted: Admission
        do throws(AdmissionFailure) {
            admitted = try await admission.admit(charge)
        } catch {
            // A repetition costs nothing, so no limit and no full store is in its way.
            if let submission, let earlier = try await findEarlier(submission, for: request) {
                return Submission(publication: earlier, rate: nil)
            }
            switch error {
            case .refused(let reached): throw .limited(reached)
            case .unavailable: throw .unavailable
            }
        }
        var request = request
        request.reservation = admitted.reservation
        do throws(SolveMathProblem.Failure) {
            let publication = try await publish(request, in: standing, as: submission)
            if publication.replayed != nil { await admission.withdraw(charge) }
            return Submission(publication: publication, rate: admitted.rate)
        } catch {
            await admission.withdraw(charge)
            throw error
        }
    }

    private func findEarlier(
        _ submission: IdempotentSubmission,
        for request: MathRequest
    ) async throws(SolveMathProblem.Failure) -> Publication? {
        do throws(PublishFailure) {
            return try await publisher.findEarlier(submission, for: request)
        } catch {
            throw error == .keyReused ? .idempotencyKeyReused : .unavailable
        }
    }

    private func validated(
        _ command: SolveMathProblem
    ) throws(SolveMathProblem.Failure) -> SolveMathProblemValidator.Valid {
        do {
            return try validator.validate(command.input)
        } catch {
            throw .invalid(error)
        }
    }

    private func publish(
        _ request: MathRequest,
        in standing: ConversationStanding,
        as submission: IdempotentSubmission?
    ) async throws(SolveMathProblem.Failure) -> Publication {
        do {
            return try await publisher.publish(request, in: standing, as: submission)
        } catch {
            switch error {
            case .queueFull: throw .queueFull
            case .archiveBehind: throw .archiveBehind
            case .conversationCrowded(let limit): throw .conversationCrowded(limit: limit)
            case .keyReused: throw .idempotencyKeyReused
            case .conversationBusy: throw .conversationBusy
            case .conversationNotFound:
                // Another user's conversation takes the way of an unknown one, so that neither reply nor time tells them
                // apart.
                try await confirm(request.conversationID, of: request.userID)
                throw .conversationNotFound
            case .unavailable: throw .unavailable
            case .conversationUnknown:
                try await confirm(request.conversationID, of: request.userID)
                return try await publish(request, in: .confirmed, as: submission)
            }
        }
    }

    /// Looks up a conversation that the queue's store does not know, such as an expired one.
    private func confirm(_ id: ConversationID, of user: UserID) async throws(SolveMathProblem.Failure) {
        let conversation: Conversation?
        do {
            conversation = try await conversations.find(id, of: user)
        } catch {
            throw .unavailable
        }
        guard conversation != nil else { throw .conversationNotFound }
    }

    /// Submissions with the same content are equal, whatever the bytes of their bodies.
    private func idempotentSubmission(
        _ key: String,
        _ command: SolveMathProblem,
        _ valid: SolveMathProblemValidator.Valid
    ) -> IdempotentSubmission {
        let meaning = SubmissionMeaning(
            conversation: command.input.conversationID,
            provider: valid.provider,
            options: valid.options,
            problem: valid.problem,
        )
        return IdempotentSubmission(
            name: fingerprints.fingerprint("\(command.submitter.user)\n\(key)"),
            meaning: fingerprints.fingerprint(meaning.text),
        )
    }

    /// All ids of a conversation share its lane.
    ///
    /// A new conversation takes the lane of the idempotency key, so that both are written together.
    private func makeRequest(
        _ command: SolveMathProblem,
        _ valid: SolveMathProblemValidator.Valid,
        _ submission: IdempotentSubmission?
    ) -> MathRequest {
        let conversation: ConversationID =
            command.input.conversationID ?? submission.map { identifiers.make(in: $0.name.lane) } ?? identifiers.make()
        return MathRequest(
            correlationID: identifiers.make(in: conversation.bits.lane),
            conversationID: conversation,
            userID: command.submitter.user,
            problem: valid.problem,
            requestedProvider: valid.provider,
            options: valid.options,
            trace: command.trace,
        )
    }
}

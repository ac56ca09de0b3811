package import Application
package import Domain
internal import EventLoop
internal import RedisClient
internal import Shared

/// Submits requests: job, record and first event are written by one function call.
package struct RedisMessagePublisher: MessagePublisher {
    /// How much may wait before new requests are rejected.
    package struct Limits: Sendable {
        /// Requests that wait, in all partitions together; each has an equal share.
        package var waiting: Int
        /// Requests in one conversation queue.
        package var waitingInConversation = 16
        /// Records that wait for the archive, in all partitions together; each has an equal share.
        package var records = 100_000

        package init(waiting: Int) { self.waiting = waiting }
    }

    private let store: RedisStore
    /// The share of one partition.
    private let limits: Limits

    package init(store: RedisStore, limits: Limits) {
        let partitions = store.keys.partitions
        self.store = store
        var share = limits
        share.waiting = (limits.waiting + partitions - 1) / partitions
        share.records = (limits.records + partitions - 1) / partitions
        self.limits = share
    }

    package func publish(
        _ request: MathRequest,
        in standing: ConversationStanding,
        as submission: IdempotentSubmission?
    ) async throws(PublishFailure) -> Publication {
        do {
            return try await submit(request, in: standing, as: submission)
        } catch {
            switch error {
            case .failure(let failure): throw failure
            case .redis(.server(let answer)) where answer.code == "OOM": break
            case .redis: throw .unavailable
            }
        }
        // At `maxmemory` Redis rejects `submit` as a whole; a repetition needs no write.
        guard let submission, let earlier = try await findEarlier(submission, for: request) else { throw .unavailable }
        return earlier
    }

    package func findEarlier(
        _ submission: IdempotentSubmission,
        for request: MathRequest
    ) async throws(PublishFailure) -> Publication? {
        let noted = store.keys.submission(submission.name, beside: request.conversationID)
        let reply: FindSubmissionCall.Reply
        do {
            reply = try await store.call(FindSubmissionCall(submission, notedBy: noted))
        } catch {
            throw .unavailable
        }
        switch reply {
        case .replayed(let earlier): return earlier.publication
        case .keyReused: throw .keyReused
        case .unknown: return nil
        }
    }

    private enum Failure: Error {
        case failure(PublishFailure)
        case redis(RedisError)
    }

    private func submit(
        _ request: MathRequest,
        in standing: ConversationStanding,
        as submission: IdempotentSubmission?
    ) async throws(Failure) -> Publication {
        let noted = submission.map { store.keys.submission($0.name, beside: request.conversationID) }
        if let submission, let noted { try await reserve(submission, notedBy: noted, request, standing) }
        var call = SubmitCall(
            request,
            in: standing,
            as: submission,
            notedBy: noted,
            limits: limits,
            store.keys,
            store.retention,
        )
        while true {
            switch try await reply(to: call) {
            case .accepted(let createdAt, let position, let jobNumber, let interrupted):
                store.report(interrupted, .interrupted)
                return Publication(createdAt: createdAt, position: position, jobNumber: jobNumber)
            case .stopped(let interrupted):
                // An interruption ends waiting requests in steps, between which Redis serves other clients.
                store.report(interrupted, .interrupted)
                call = call.afterInterruption
            case .replayed(let earlier): return earlier.publication
            case .keyReused: throw .failure(.keyReused)
            case .queueFull: throw .failure(.queueFull)
            case .archiveBehind: throw .failure(.archiveBehind)
            case .conversationBusy: throw .failure(.conversationBusy)
            case .conversationCrowded:
                throw .failure(.conversationCrowded(limit: limits.waitingInConversation))
            case .conversationNotFound: throw .failure(.conversationNotFound)
            case .conversationUnknown: throw .failure(.conversationUnknown)
            }
        }
    }

    /// Binds the key to its meaning in the key's own partition, if the submission itself is stored in another one.
    ///
    /// Repeated by every submission under the key, so that a crash after it leaves nothing to repair. Nothing is stored
    /// for an unknown conversation.
    private func reserve(
        _ submission: IdempotentSubmission,
        notedBy noted: SubmissionKeys,
        _ request: MathRequest,
        _ standing: ConversationStanding
    ) async throws(Failure) {
        let own = store.keys.submission(submission.name)
        guard own.partition != noted.partition else { return }
        if standing == .named {
            let command = RedisCommand("HEXISTS", store.keys.conversation(request.conversationID), "user")
            let isKnown: Bool
            do {
                isKnown = try await store.call(command, in: noted.partition).integer == 1
            } catch {
                throw .redis(error)
            }
            guard isKnown else { throw .failure(.conversationUnknown) }
        }
        let isReserved = try await reply(to: ReserveKeyCall(submission, notedBy: own, store.retention))
        guard isReserved else { throw .failure(.keyReused) }
    }

    private func reply<Call: FunctionCall>(to call: Call) async throws(Failure) -> Call.Reply {
        do {
            return try await store.call(call)
        } catch {
            throw .redis(error)
        }
    }
}

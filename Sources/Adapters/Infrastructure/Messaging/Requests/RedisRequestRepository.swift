package import Application
package import Domain
internal import RedisClient
package import Shared

/// Reads requests from their hash and their answers from their event stream.
package struct RedisRequestRepository: RequestRepository {
    private let store: RedisStore

    package init(store: RedisStore) { self.store = store }

    package func find(_ id: CorrelationID) async throws(RepositoryFailure) -> RequestRecord? {
        do {
            let conversations = store.keys.conversations(store.keys.partition(of: id))
            let reply = try await store.call(.readRequest, keys: [store.keys.request(id)], [conversations]).array ?? []
            guard reply.count == 2, var record = RequestHash.record(id, reply[1]) else { return nil }
            record.isDeleted = reply[0].integer == 1
            return record
        } catch {
            throw .unavailable
        }
    }

    package func lastEvent(of id: CorrelationID) async throws(RepositoryFailure) -> EventID? {
        do {
            return try await store.lastEvent(of: id)
        } catch {
            throw .unavailable
        }
    }

    package func answer(of id: CorrelationID) async throws(RepositoryFailure) -> String? {
        do {
            return try await StoredAnswer(store: store).text(of: id)
        } catch {
            throw .unavailable
        }
    }

    package func noteLost(_ event: EventID, of id: CorrelationID) async throws(RepositoryFailure) {
        do {
            try await store.noteLost(event, of: id, isClaimed: true)
        } catch {
            throw .unavailable
        }
    }

    package func cancel(
        _ request: MathRequest,
        _ reason: CancelReason
    ) async throws(RepositoryFailure) -> CancelResult {
        let keys = store.keys
        do {
            let partition = keys.partition(of: request.conversationID)
            let reply =
                try await store.call(
                    .cancel,
                    keys: keys.scope(of: request.conversationID),
                    [Keyspace.group, request.correlationID.description] + store.stopArguments(reason, in: partition),
                ).array ?? []
            if reply.count == 2 { store.publishCancelled(reason, .integer(1), sum: reply[1]) }
            switch reply.first?.string {
            case "ended", "over": return .over
            case "asked": return .asked
            default: return .unknown
            }
        } catch {
            throw .unavailable
        }
    }
}

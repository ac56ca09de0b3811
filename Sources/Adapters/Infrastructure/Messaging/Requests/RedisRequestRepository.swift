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
            return try await store.call(ReadRequestCall(id, store.keys))
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
            _ = try await store.call(MarkLostCall(event, of: id, .claimed, store.keys))
        } catch {
            throw .unavailable
        }
    }

    package func cancel(
        _ request: MathRequest,
        _ reason: CancelReason
    ) async throws(RepositoryFailure) -> CancelResult {
        do {
            switch try await store.call(CancelCall(request, reason, store.keys, store.retention)) {
            case .ended(let age):
                store.report(EndedRequests(count: 1, ageSum: age), reason)
                return .over
            case .over: return .over
            case .asked: return .asked
            case .unknown, .watched: return .unknown
            }
        } catch {
            throw .unavailable
        }
    }
}

package import Application
package import Domain
internal import FoundationEssentials
internal import RedisClient
package import Shared

/// Reads requests from their hash and their answers from their event stream.
package struct RedisRequestRepository: RequestRepository {
    /// Events read at once; a page of this size keeps Redis busy for less than half a millisecond.
    static let pageEvents = 500

    private let store: RedisStore
    private let timeToLiveAfterEnd: Duration

    package init(store: RedisStore, timeToLiveAfterEnd: Duration) {
        self.store = store
        self.timeToLiveAfterEnd = timeToLiveAfterEnd
    }

    package func find(_ id: CorrelationID) async throws(RepositoryFailure) -> RequestRecord? {
        do {
            return RequestHash.record(id, try await store.call(RedisCommand("HGETALL", store.keys.request(id))))
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
            guard let newest = try await newestAttempt(of: id) else { return nil }
            var text = ""
            let attempt = String(newest)
            var from = "\(attempt)-0"
            while true {
                let page =
                    try await store.call(
                        // Up to the end of this attempt: a newer one may have begun in between.
                        RedisCommand("XRANGE", store.keys.events(id), from, attempt, "COUNT", Self.pageEvents)
                    ).array ?? []
                text += tokens(in: page)
                guard page.count == Self.pageEvents, let next = page.last?.array?.first?.string else { return text }
                from = "(\(next)"
            }
        } catch {
            throw .unavailable
        }
    }

    /// The number of the newest attempt that began.
    private func newestAttempt(of id: CorrelationID) async throws(RedisError) -> UInt64? {
        let reply = try await store.call(RedisCommand("XREVRANGE", store.keys.events(id), "+", "-", "COUNT", 1))
        guard let entry = reply.array?.first, let last = EntryHead(entry)?.id else { return nil }
        // A terminal event at a marker's place stands for the attempt that was not begun any more.
        let isUnbegun = last.sequence == 0 && last.attempt > 0 && StoredEvent(entry)?.name.isTerminal == true
        return isUnbegun ? last.attempt - 1 : last.attempt
    }

    private struct TokenData: Decodable {
        let text: String
    }

    /// The text of a page's `token` events, decoded in one go.
    private func tokens(in page: [RedisValue]) -> String {
        var json: [UInt8] = [UInt8(ascii: "[")]
        for entry in page {
            guard let event = StoredEvent(entry), event.name == .token else { continue }
            if json.count > 1 { json.append(UInt8(ascii: ",")) }
            json.append(contentsOf: event.data)
        }
        json.append(UInt8(ascii: "]"))
        let tokens = try? JSONDecoder().decode([TokenData].self, from: Data(json))
        return tokens?.map(\.text).joined() ?? ""
    }

    package func cancel(_ id: CorrelationID, _ reason: CancelReason) async throws(RepositoryFailure) -> CancelResult {
        let keys = store.keys
        do {
            let reply = try await store.call(
                .cancel,
                keys: [keys.request(id), keys.events(id)],
                Self.cancelArguments(id, reason, keys, timeToLiveAfterEnd),
            ).string
            switch reply {
            case "over": return .over
            case "asked": return .asked
            default: return .unknown
            }
        } catch {
            throw .unavailable
        }
    }

    /// What the functions `cancel` and `abandon` take.
    static func cancelArguments(
        _ id: CorrelationID,
        _ reason: CancelReason,
        _ keys: Keyspace,
        _ timeToLiveAfterEnd: Duration
    ) -> [String] {
        [
            reason.rawValue, keys.live(id), keys.control(keys.partition(of: id)), id.description,
            EventData.CancelledBetweenAttempts.prefix(reason), EventData.CancelledBetweenAttempts.suffix,
            String(timeToLiveAfterEnd.wholeMilliseconds),
        ]
    }
}

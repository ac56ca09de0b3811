internal import Domain
internal import FoundationEssentials
internal import RedisClient
internal import Shared

/// Reads the text of an answer from its stored events.
struct StoredAnswer {
    /// Events read at once; a page of this size keeps Redis busy for less than half a millisecond.
    static let pageEvents = 500

    let store: RedisStore

    /// The newest attempt's text so far; nil where the events are gone.
    func text(of id: CorrelationID) async throws(RedisError) -> String? {
        guard let newest = try await newestAttempt(of: id) else { return nil }
        var text = ""
        let attempt = String(newest)
        var from = "\(attempt)-0"
        while true {
            let page =
                try await store.connection(of: id).call(
                    // Up to the end of this attempt: a newer one may have begun in between.
                    RedisCommand("XRANGE", store.keys.events(id), from, attempt, "COUNT", Self.pageEvents)
                ).array ?? []
            text += tokens(in: page)
            guard page.count == Self.pageEvents, let next = page.last?.array?.first?.string else { return text }
            from = "(\(next)"
        }
    }

    /// The number of the newest attempt that began.
    private func newestAttempt(of id: CorrelationID) async throws(RedisError) -> UInt64? {
        let reply = try await store.connection(of: id).call(
            RedisCommand("XREVRANGE", store.keys.events(id), "+", "-", "COUNT", 1)
        )
        guard let entry = reply.array?.first, let last = EntryHead(entry)?.id else { return nil }
        // A terminal event with a marker's id ended the request before that attempt began.
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
}

internal import Application
internal import Domain

/// The tokens that are reserved for requests: settled when a request's end is archived, by any replica.
///
/// A reservation whose end is never archived expires with its day.
struct Reservations {
    /// Reservations settled in one call; a call of this size keeps Redis busy for about 200 us.
    private static let settledAtOnce = 100

    let store: RedisStore

    /// Idempotent, so that redelivered records change nothing.
    func settle(_ records: [QueuedRecord]) async throws(QueueFailure) {
        var settlements: [Int: [SettleTokensCall.Settlement]] = [:]
        for record in records {
            guard case .finished(let ended) = record.entry,
                let reserved = ended.request.reservation?.counters(store.keys)
            else { continue }
            let used = ended.usage.map { $0.inputTokens + $0.outputTokens } ?? 0
            settlements[reserved.partition, default: []] += reserved.keys.map {
                SettleTokensCall.Settlement(counter: $0, request: ended.request.correlationID, tokensUsed: used)
            }
        }
        for (partition, all) in settlements {
            for start in stride(from: 0, to: all.count, by: Self.settledAtOnce) {
                let page = all[start..<min(start + Self.settledAtOnce, all.count)]
                do {
                    _ = try await store.queueCall(SettleTokensCall(page, in: partition))
                } catch {
                    // The archive does not wait for a counter that can never be written.
                    guard case .refused = error else { throw error }
                }
            }
        }
    }
}

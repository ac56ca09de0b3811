internal import RedisClient
internal import Shared

/// Asks Redis about feeds that have been silent, many with one command.
///
/// One XREAD begins just before the newest event that each feed has. The answer has that event, and the next one where a
/// push was lost. A feed whose newest event is missing, because the stream expired or history was lost, asks by itself.
struct SilenceProbe {
    /// Feeds in one command, which keeps Redis busy for about 0.1 ms.
    private static let feedsMax = 100

    let store: RedisStore

    /// One command for each hundred feeds of a partition.
    func ask(_ feeds: [AnswerFeed]) {
        for (partition, feeds) in Dictionary(grouping: feeds, by: { store.keys.partition(of: $0.id) }) {
            for start in stride(from: 0, to: feeds.count, by: Self.feedsMax) {
                send(feeds[start..<min(start + Self.feedsMax, feeds.count)], in: partition)
            }
        }
    }

    private func send(_ feeds: ArraySlice<AnswerFeed>, in partition: Int) {
        var asked: [String: (feed: AnswerFeed, newest: EventID)] = [:]
        for feed in feeds {
            guard let newest = feed.willAsk() else { continue }
            asked[store.keys.events(feed.id)] = (feed, newest)
        }
        guard !asked.isEmpty else { return }
        let keys = Array(asked.keys)
        var command = RedisCommand("XREAD", "COUNT", 2, "STREAMS")
        command.append(contentsOf: keys)
        command.append(contentsOf: keys.compactMap { asked[$0]?.newest.justBefore })
        store.connection(of: partition).send(command) { result in
            var found: [String: [EntryHead]]?
            if case .success(let reply) = result { found = Self.events(reply) }
            for (key, (feed, newest)) in asked { feed.didAsk(newest, found.map { $0[key] ?? [] }) }
        }
    }

    private static func events(_ reply: RedisValue) -> [String: [EntryHead]] {
        var found: [String: [EntryHead]] = [:]
        for stream in reply.array ?? [] {
            guard let parts = stream.array, parts.count == 2, let key = parts[0].string else { continue }
            found[key] = (parts[1].array ?? []).compactMap { EntryHead($0) }
        }
        return found
    }
}

extension EventID {
    /// The id behind which XREAD begins with this event.
    fileprivate var justBefore: String {
        if sequence > 0 { return "\(attempt)-\(sequence - 1)" }
        return attempt > 0 ? "\(attempt - 1)-\(UInt64.max)" : "0-0"
    }
}

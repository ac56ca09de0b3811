internal import RedisClient
internal import Shared

/// Checks feeds that have been silent for events whose push was lost, many feeds with one command.
///
/// One XREAD begins just before the newest event of each feed. Its reply has that event, and the next one where a push was
/// lost. A feed whose newest event is missing, because the log expired or history was lost, sends a probe of its own.
struct SilenceProbe {
    /// Feeds in one command, which keeps Redis busy for about 0.1 ms.
    private static let feedsMax = 100

    let store: RedisStore

    /// Sends one command for each hundred feeds of a partition.
    func send(for feeds: [AnswerFeed]) {
        for (partition, feeds) in Dictionary(grouping: feeds, by: { store.keys.partition(of: $0.id) }) {
            for start in stride(from: 0, to: feeds.count, by: Self.feedsMax) {
                send(for: feeds[start..<min(start + Self.feedsMax, feeds.count)], in: partition)
            }
        }
    }

    private func send(for feeds: ArraySlice<AnswerFeed>, in partition: Int) {
        var probed: [String: (feed: AnswerFeed, newest: EventID)] = [:]
        for feed in feeds {
            guard let newest = feed.beginSilenceProbe() else { continue }
            probed[store.keys.events(feed.id)] = (feed, newest)
        }
        guard !probed.isEmpty else { return }
        let keys = Array(probed.keys)
        var command = RedisCommand("XREAD", "COUNT", 2, "STREAMS")
        command.append(contentsOf: keys)
        command.append(contentsOf: keys.compactMap { probed[$0]?.newest.justBefore })
        store.connection(of: partition).send(command) { result in
            var found: [String: [EntryHead]]?
            if case .success(let reply) = result { found = Self.events(reply) }
            for (key, (feed, newest)) in probed { feed.endSilenceProbe(newest, found.map { $0[key] ?? [] }) }
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
    /// The id after which XREAD begins with this event.
    fileprivate var justBefore: String {
        if sequence > 0 { return "\(attempt)-\(sequence - 1)" }
        return attempt > 0 ? "\(attempt - 1)-\(UInt64.max)" : "0-0"
    }
}

internal import Domain
internal import EventLoop
internal import RedisClient
internal import Shared

/// Removes ended requests from full sets of active requests.
///
/// One step examines ``pageMax`` members. A set of more is examined a few steps at a time, and its next verification goes
/// on where the last one ended; in between it counts as full for ``memory``, so that a flood of refused requests costs Redis
/// nothing. Loop-owned.
final class ActiveVerification {
    /// As `members_shown` of the function library.
    private static let pageMax = 64
    private static let stepsMax = 4
    private static let memory: Int64 = 200
    /// Sets remembered at a time; further ones are verified at each attempt.
    private static let remembered = 1024
    /// How long an unknown request may be on its way from its admission to its publication, in ms.
    private static let publicationTime = 30_000

    private struct Full {
        /// In milliseconds of loop time.
        var until: Int64
        /// Members examined so far; the next verification skips them.
        var examined: Int
    }

    private let store: RedisStore
    private var full: [String: Full] = [:]

    init(store: RedisStore) { self.store = store }

    /// True while a set of more than one page counts as full without a look.
    func remembersFull(_ limit: CountedLimit) -> Bool {
        guard case .active(let quota) = limit.rule, quota > Self.pageMax, let known = full[limit.counter] else {
            return false
        }
        return store.loop.nowMilliseconds < known.until
    }

    /// Removes the members that ended or are unknown; returns the first set without one, nil where each has room now.
    ///
    /// `full` has the first page of each set at the server's `time`; user and key have mostly the same members, so that one
    /// look serves both.
    func firstFull(
        of full: [(limit: CountedLimit, members: [ActiveMember])],
        in partition: Int,
        at time: Int
    ) async throws(RedisError) -> CountedLimit? {
        var all: [String: ActiveMember] = [:]
        for set in full { for member in set.members { all[member.id] = member } }
        let ended = try await ended(Array(all.values), at: time)
        for (limit, members) in full {
            let own = members.map(\.id).filter { ended.contains($0) }
            if !own.isEmpty {
                remove(own, from: limit, in: partition)
            } else if try await !searchFurther(limit, in: partition, at: time, behind: members.count) {
                return limit
            }
        }
        return nil
    }

    /// Examines the members behind the first page in steps; false where no examined one has ended.
    private func searchFurther(
        _ limit: CountedLimit,
        in partition: Int,
        at time: Int,
        behind count: Int
    ) async throws(RedisError) -> Bool {
        guard case .active(let quota) = limit.rule, quota > Self.pageMax else { return false }
        var examined = max(count, full[limit.counter]?.examined ?? 0)
        for _ in 1..<Self.stepsMax {
            let page = try await members(of: limit, in: partition, from: examined)
            let ended = try await ended(page, at: time)
            if !ended.isEmpty {
                remove(ended, from: limit, in: partition)
                return true
            }
            examined = page.count < Self.pageMax ? 0 : examined + page.count
            if examined == 0 { break }
        }
        remember(limit, examined)
        return false
    }

    /// Sent without waiting: the repeated charge travels behind it on the same connection.
    private func remove(_ ids: some Collection<String>, from limit: CountedLimit, in partition: Int) {
        full[limit.counter] = nil
        var command = RedisCommand("ZREM", limit.counter)
        command.append(contentsOf: ids)
        store.connection(of: partition).send(command) { _ in }
    }

    private func members(
        of limit: CountedLimit,
        in partition: Int,
        from index: Int
    ) async throws(RedisError) -> [ActiveMember] {
        let last = index + Self.pageMax - 1
        let reply = try await store.call(
            RedisCommand("ZRANGE", limit.counter, index, last, "WITHSCORES"),
            in: partition
        )
        let values = (reply.array ?? []).map { $0.string ?? "" }
        return stride(from: 0, to: values.count - 1, by: 2).map {
            ActiveMember(id: values[$0], admittedAt: Int(values[$0 + 1]) ?? 0)
        }
    }

    /// Those members whose requests ended, or are unknown although there was time to publish them.
    private func ended(_ members: [ActiveMember], at time: Int) async throws(RedisError) -> Set<String> {
        var ended: Set<String> = []
        var pages: [Int: [(id: CorrelationID, member: ActiveMember)]] = [:]
        for member in members {
            guard let id = CorrelationID(member.id) else {
                ended.insert(member.id)
                continue
            }
            pages[store.keys.partition(of: id), default: []].append((id, member))
        }
        for (partition, page) in pages {
            let statuses = try await store.call(ReadStatusesCall(of: page.map(\.id), in: partition, store.keys))
            for (status, (_, member)) in zip(statuses, page) {
                let isOver = status?.isTerminal ?? (time - member.admittedAt > Self.publicationTime)
                if isOver { ended.insert(member.id) }
            }
        }
        return ended
    }

    private func remember(_ limit: CountedLimit, _ examined: Int) {
        let now = store.loop.nowMilliseconds
        if full.count >= Self.remembered, full[limit.counter] == nil {
            full = full.filter { $0.value.until > now }
            guard full.count < Self.remembered else { return }
        }
        full[limit.counter] = Full(until: now + Self.memory, examined: examined)
    }
}

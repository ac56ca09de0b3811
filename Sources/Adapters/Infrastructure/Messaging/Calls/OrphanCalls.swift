internal import RedisClient
internal import Shared
internal import Time

/// A request that is in no queue.
struct Orphan: Equatable {
    let id: CorrelationID
    /// The last known entry of its job; empty if it never had one.
    let entry: String
    let attempts: UInt64
}

/// `list_orphans`.
struct ListOrphansCall: FunctionCall {
    struct Page: Equatable {
        /// Requests that the call examined.
        let examined: Int
        /// In milliseconds of the server's clock: requests seen since then are not examined in this sweep.
        let unseenSince: Int
        let orphans: [Orphan]
    }

    static let function = FunctionLibrary.Function.listOrphans
    let partition: Int
    let keys: [String]
    let arguments: [String]

    /// `unseenSince` is that of the page before, nil for the first page of a sweep.
    init(
        in partition: Int,
        unseenFor lease: Duration,
        since unseenSince: Int?,
        upTo count: Int,
        _ keyspace: Keyspace,
        _ retention: Retention
    ) {
        self.partition = partition
        keys = [
            keyspace.jobs(partition), keyspace.delayed(partition), keyspace.waiting(partition),
            keyspace.unfinished(partition), keyspace.requests(partition),
        ]
        arguments = [
            Keyspace.group,
            String(lease.wholeMilliseconds),
            String(count),
            String(retention.live.wholeMilliseconds),
            unseenSince.map { String($0) } ?? "",
        ]
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> Page {
        let elements = try reply.list(ofAtLeast: 2)
        let fields = elements.dropFirst(2).compactMap(\.string)
        let orphans: [Orphan] = stride(from: 0, to: fields.count - 2, by: 3).compactMap { index in
            guard let id = CorrelationID(fields[index]), let attempts = UInt64(fields[index + 2]) else { return nil }
            return Orphan(id: id, entry: fields[index + 1], attempts: attempts)
        }
        return Page(
            examined: try elements[0].number(),
            unseenSince: try elements[1].number(),
            orphans: orphans,
        )
    }
}

/// `set_job_entry`.
struct SetJobEntryCall: FunctionCall {
    static let function = FunctionLibrary.Function.setJobEntry
    let partition: Int
    let keys: [String]
    let arguments: [String]

    init(_ entry: String, of id: CorrelationID, _ keyspace: Keyspace) {
        partition = keyspace.partition(of: id)
        keys = [keyspace.request(id)]
        arguments = [entry]
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) { _ = try reply.number() }
}

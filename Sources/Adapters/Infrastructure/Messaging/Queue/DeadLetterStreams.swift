internal import Application
internal import RedisClient

/// Dead letters of one kind, a stream per partition.
struct DeadLetterStreams {
    let store: RedisStore
    /// The key of a partition's stream.
    let key: @Sendable (Int) -> String

    struct Entry {
        let name: DeadLetterName
        let milliseconds: Int64
        let fields: [String: String]
    }

    /// The oldest ones first, at most `count`.
    func list(upTo count: Int) async throws(RepositoryFailure) -> [Entry] {
        var entries: [Entry] = []
        for partition in 0..<store.keys.partitions {
            let command = RedisCommand("XRANGE", key(partition), "-", "+", "COUNT", count)
            entries += try await call(command, in: partition).array?.compactMap { entry($0, in: partition) } ?? []
        }
        return Array(entries.sorted { $0.milliseconds < $1.milliseconds }.prefix(count))
    }

    /// Nil for an unknown letter.
    func fields(of letter: DeadLetterName) async throws(RepositoryFailure) -> [DeadLetterField]? {
        guard letter.partition < store.keys.partitions else { return nil }
        let command = RedisCommand("XRANGE", key(letter.partition), letter.entry, letter.entry)
        let entries = try await call(command, in: letter.partition).array ?? []
        return entries.first?.array?.last?.fieldList.map { DeadLetterField(name: $0.name, value: $0.value) }
    }

    func drop(_ letter: DeadLetterName) async throws(RepositoryFailure) -> Bool {
        let command = RedisCommand("XDEL", key(letter.partition), letter.entry)
        return try await call(command, in: letter.partition).integer == 1
    }

    private func entry(_ value: RedisValue, in partition: Int) -> Entry? {
        guard let parts = value.array, parts.count == 2, let name = parts[0].string,
            let milliseconds = name.split(separator: "-").first.flatMap({ Int64($0) })
        else { return nil }
        let letter = DeadLetterName(partition: partition, entry: name)
        return Entry(name: letter, milliseconds: milliseconds, fields: parts[1].fields)
    }

    private func call(_ command: RedisCommand, in partition: Int) async throws(RepositoryFailure) -> RedisValue {
        do {
            return try await store.call(command, in: partition)
        } catch {
            throw .unavailable
        }
    }
}

internal import RedisClient

/// `eviction_policy`; nil if the user may not read it.
struct EvictionPolicyCall: FunctionCall {
    static let function = FunctionLibrary.Function.evictionPolicy
    let partition: Int
    let keys: [String]
    let arguments: [String] = []

    init(in partition: Int, _ keyspace: Keyspace) {
        self.partition = partition
        keys = [keyspace.jobs(partition)]
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> String? {
        let policy = try reply.text()
        return policy.isEmpty ? nil : policy
    }
}

/// `missing_permissions`; their names as an ACL spells them.
struct MissingPermissionsCall: FunctionCall {
    static let function = FunctionLibrary.Function.missingPermissions
    let partition: Int
    let keys: [String]
    let arguments: [String]

    init(in partition: Int, _ keyspace: Keyspace) {
        self.partition = partition
        keys = [keyspace.probe(partition)]
        arguments = [keyspace.probeChannel(partition)]
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> [String] { try reply.list().compactMap(\.string) }
}

/// `mistyped_keys`; nil if every key is missing or has the type that the product writes.
struct MistypedKeysCall: FunctionCall {
    struct Mistake: Equatable {
        let key: String
        /// The type that Redis reports, such as `string`.
        let type: String
        let expected: String
    }

    static let function = FunctionLibrary.Function.mistypedKeys
    let partition: Int
    let keys: [String]
    let arguments: [String]

    /// The keys that a partition has one of.
    init(in partition: Int, _ keyspace: Keyspace) {
        self.partition = partition
        let types = [
            (keyspace.jobs(partition), "stream"), (keyspace.dead(partition), "stream"),
            (keyspace.finished(partition), "stream"), (keyspace.finishedDead(partition), "stream"),
            (keyspace.delayed(partition), "zset"), (keyspace.waiting(partition), "zset"),
            (keyspace.unfinished(partition), "zset"), (keyspace.watched(partition), "zset"),
        ]
        keys = types.map(\.0)
        arguments = types.map(\.1)
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> Mistake? {
        let elements = try reply.list()
        if elements.isEmpty { return nil }
        guard elements.count == 3 else { throw UnexpectedReply() }
        return Mistake(key: try elements[0].text(), type: try elements[1].text(), expected: try elements[2].text())
    }
}

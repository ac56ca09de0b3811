/// How a channel is subscribed.
package enum RedisSubscriptionKind: Sendable {
    /// SUBSCRIBE: every node of a cluster delivers the channel's messages.
    case plain
    /// SSUBSCRIBE: only the shard that owns the channel's slot delivers them.
    case sharded
}

/// A channel's name and how it is subscribed.
struct RedisChannel: Hashable {
    let name: String
    let kind: RedisSubscriptionKind
}

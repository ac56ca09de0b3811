/// A channel's name and how it is subscribed.
struct RedisChannel: Hashable {
    let name: String
    let kind: RedisSubscriptionKind
}

/// A channel that someone wants, and who waits for its confirmation.
final class RedisSubscription {
    struct Waiter {
        /// Loop time in milliseconds.
        let due: Int64
        let completion: (Result<Void, RedisError>) -> Void
    }

    let channel: RedisChannel
    var isConfirmed = false
    var waiters: [Waiter] = []

    init(_ channel: RedisChannel) { self.channel = channel }

    var earliestDue: Int64 { waiters.reduce(.max) { min($0, $1.due) } }

    func settle(_ result: Result<Void, RedisError>) {
        let settled = waiters
        waiters = []
        for waiter in settled { waiter.completion(result) }
    }

    func takeWaiters(dueBy now: Int64) -> [Waiter] {
        let late = waiters.filter { $0.due <= now }
        waiters.removeAll { $0.due <= now }
        return late
    }
}

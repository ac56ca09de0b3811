/// Joins concurrent calls for the same thing: the first one runs, the others get its result.
///
/// Loop-owned.
package final class SingleFlight<Key: Hashable, Value> {
    private let loop: Loop
    private var waiters: [Key: [OneShot<Value>]] = [:]

    package init(on loop: Loop) { self.loop = loop }

    /// Runs `operation`, or waits for the one for `key` that runs already; nil where the waiting task was cancelled.
    package func run(_ key: Key, _ operation: () async -> Value) async -> Value? {
        loop.assertCurrent()
        if waiters[key] != nil {
            let wait = OneShot<Value>(loop: loop)
            waiters[key, default: []].append(wait)
            return try? await wait.value()
        }
        waiters[key] = []
        let value = await operation()
        for waiter in waiters.removeValue(forKey: key) ?? [] { waiter.succeed(value) }
        return value
    }
}

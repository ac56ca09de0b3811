package import Application
package import EventLoop
internal import Synchronization
internal import Time

/// Values of a store that the process has looked up, shared by its loops; bounded, and each for a time.
///
/// ```
///  age of the entry               the value is        the store is asked
///  below `renewal`                returned            no
///  below `freshness`              returned            in the background
///  above, the store answers       looked up           yes
///  above, the store is away       returned until `outage`, then unavailable
/// ```
/// Concurrent lookups of one key are one. While the store is away it is asked at most once in five seconds for each
/// key. That a key has no value is remembered for ten seconds.
package final class LookupCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    package typealias Lookup = @Sendable (Key) async throws(RepositoryFailure) -> Value?

    package struct Ages: Sendable {
        package var renewal: Duration
        package var freshness: Duration
        package var outage: Duration

        package init(renewal: Duration, freshness: Duration, outage: Duration) {
            self.renewal = renewal
            self.freshness = freshness
            self.outage = outage
        }
    }

    private struct Entry {
        /// Nil where the store has none.
        let value: Value?
        let loadedAt: Duration
        /// Until when the store is not asked again, because it was away just before.
        var restUntil: Duration?
    }

    private enum Decision {
        case found(Value?)
        case renewing(Value?)
        case missing
    }

    private typealias Outcome = Result<Value?, RepositoryFailure>

    private static var absence: Duration { .seconds(10) }
    private static var rest: Duration { .seconds(5) }

    private let ages: Ages
    private let now: @Sendable () -> Duration
    private let lookup: Lookup
    private let entries: Mutex<BoundedTable<Key, Entry>>
    private let flights: LoopBound<SingleFlight<Key, Outcome>>

    /// Lookups run on `loop`; `now` is a monotonic clock.
    package init(
        entriesMax: Int,
        ages: Ages,
        on loop: Loop,
        now: @escaping @Sendable () -> Duration = { .nanoseconds(MonotonicTime.nanoseconds) },
        lookup: @escaping Lookup
    ) {
        self.ages = ages
        self.now = now
        self.lookup = lookup
        entries = Mutex(BoundedTable(countMax: entriesMax))
        flights = LoopBound(SingleFlight(on: loop), of: loop)
    }

    /// What is known at this moment, without a lookup; nil for a key that is not known, or not known any more.
    package func known(_ key: Key) -> Value?? {
        switch decide(key, atMost: ages.freshness) {
        case .found(let value), .renewing(let value): value
        case .missing: nil
        }
    }

    /// The value of a key, at most `age` old if the store answers; nil where the store has none.
    package func value(_ key: Key, atMost age: Duration? = nil) async throws(RepositoryFailure) -> Value? {
        switch decide(key, atMost: age ?? ages.freshness) {
        case .found(let value): return value
        case .renewing(let value):
            renew(key)
            return value
        case .missing: return try await load(key).get()
        }
    }

    private func decide(_ key: Key, atMost age: Duration) -> Decision {
        let time = now()
        guard let entry = entries.withLock({ $0[key] }) else { return .missing }
        let entryAge = time - entry.loadedAt
        guard let value = entry.value else { return entryAge < min(age, Self.absence) ? .found(nil) : .missing }
        if let rest = entry.restUntil, time < rest, entryAge < ages.outage { return .found(value) }
        if entryAge < min(age, ages.renewal) { return .found(value) }
        return entryAge < age ? .renewing(value) : .missing
    }

    private func renew(_ key: Key) {
        flights.loop.execute { [self] in
            flights.loop.spawn { [self] in _ = await fly(key) }
        }
    }

    private func load(_ key: Key) async -> Outcome {
        let outcome = try? await flights.loop.run { [self] _ in await fly(key) }
        return outcome ?? .failure(.unavailable)
    }

    /// On the loop of the lookups.
    private func fly(_ key: Key) async -> Outcome {
        let outcome = await flights.onLoop.run(key) { [self] () async -> Outcome in
            do throws(RepositoryFailure) {
                let value = try await lookup(key)
                let entry = Entry(value: value, loadedAt: now(), restUntil: nil)
                entries.withLock { $0[key] = entry }
                return .success(value)
            } catch {
                guard let value = stale(key) else { return .failure(error) }
                return .success(value)
            }
        }
        return outcome ?? .failure(.unavailable)
    }

    /// The value from before, while the store is away.
    private func stale(_ key: Key) -> Value? {
        let time = now()
        return entries.withLock { entries in
            guard var entry = entries[key], let value = entry.value, time - entry.loadedAt < ages.outage else {
                return nil
            }
            entry.restUntil = time + Self.rest
            entries[key] = entry
            return value
        }
    }
}

/// A table of at most `countMax` values; those that were not used for the longest time go first, up to half of them at
/// once.
struct BoundedTable<Key: Hashable, Value> {
    private let halfMax: Int
    private var young: [Key: Value] = [:]
    private var old: [Key: Value] = [:]

    init(countMax: Int) {
        precondition(countMax >= 2, "a table holds something")
        halfMax = countMax / 2
    }

    var count: Int { young.count + old.count }

    subscript(key: Key) -> Value? {
        mutating get {
            if let value = young[key] { return value }
            guard let value = old.removeValue(forKey: key) else { return nil }
            insert(value, for: key)
            return value
        }
        set {
            old[key] = nil
            if let newValue { insert(newValue, for: key) } else { young[key] = nil }
        }
    }

    private mutating func insert(_ value: Value, for key: Key) {
        if young.count >= halfMax, young[key] == nil {
            old = young
            young = [:]
        }
        young[key] = value
    }
}

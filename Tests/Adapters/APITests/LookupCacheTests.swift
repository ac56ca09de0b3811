import Application
import EventLoop
import Synchronization
import TestSupport
import Testing

@testable import API

/// A store whose answers a test chooses, and a clock that it moves.
private final class Store: Sendable {
    private struct State {
        var value: Int? = 1
        var isAway = false
        var lookups = 0
        var milliseconds = 1000
    }

    private let state = Mutex(State())

    var lookups: Int { state.withLock { $0.lookups } }
    var now: @Sendable () -> Duration { { [self] in .milliseconds(state.withLock { $0.milliseconds }) } }

    func set(_ value: Int?, isAway: Bool = false) {
        state.withLock { state in
            state.value = value
            state.isAway = isAway
        }
    }

    func advance(seconds: Int) { state.withLock { $0.milliseconds += seconds * 1000 } }

    func find() throws(RepositoryFailure) -> Int? {
        let (value, isAway) = state.withLock { state in
            state.lookups += 1
            return (state.value, state.isAway)
        }
        guard !isAway else { throw .unavailable }
        return value
    }
}

@Suite("Lookups that are remembered", .tags(.unit))
struct LookupCacheTests {
    private static func cache(_ store: Store, on loop: Loop, entriesMax: Int = 10) -> LookupCache<String, Int> {
        LookupCache(
            entriesMax: entriesMax,
            ages: .init(renewal: .seconds(30), freshness: .seconds(60), outage: .seconds(600)),
            on: loop,
            now: store.now,
        ) { (_) async throws(RepositoryFailure) in try store.find() }
    }

    private func expect(
        _ cache: LookupCache<String, Int>,
        _ key: String,
        _ value: Int?,
        atMost age: Duration? = nil,
        at place: SourceLocation = #_sourceLocation
    ) async throws {
        let found = try await cache.value(key, atMost: age)
        #expect(found == value, sourceLocation: place)
    }

    @Test("a value is looked up once, renewed in the background after half its time, and looked up again after it")
    func ages() async throws {
        try await onLoop { loop in
            let store = Store()
            let cache = Self.cache(store, on: loop)
            for _ in 0..<5 { try await expect(cache, "a", 1) }
            #expect(store.lookups == 1)
            store.set(2)
            store.advance(seconds: 31)
            try await expect(cache, "a", 1)
            try await eventually("the renewal", on: loop) { store.lookups == 2 }
            try await turn(loop)
            try await expect(cache, "a", 2)
            store.set(3)
            store.advance(seconds: 61)
            #expect(cache.known("a") == nil)
            try await expect(cache, "a", 3)
            try await expect(cache, "a", 3, atMost: .seconds(1))
            store.set(4)
            store.advance(seconds: 2)
            try await expect(cache, "a", 4, atMost: .seconds(1))
            #expect(store.lookups == 4)
        }
    }

    @Test("that there is no value is remembered for ten seconds")
    func absence() async throws {
        try await onLoop { loop in
            let store = Store()
            store.set(nil)
            let cache = Self.cache(store, on: loop)
            for _ in 0..<5 { try await expect(cache, "a", nil) }
            #expect(store.lookups == 1)
            #expect(cache.known("a") == .some(nil) && cache.known("b") == nil)
            store.set(7)
            store.advance(seconds: 10)
            try await expect(cache, "a", 7)
        }
    }

    @Test("while the store is away known values stay for their time, and it is asked once in five seconds")
    func outage() async throws {
        try await onLoop { loop in
            let store = Store()
            let cache = Self.cache(store, on: loop)
            try await expect(cache, "a", 1)
            store.set(1, isAway: true)
            store.advance(seconds: 120)
            for _ in 0..<5 { try await expect(cache, "a", 1) }
            #expect(store.lookups == 2)
            await #expect(throws: RepositoryFailure.unavailable) { try await cache.value("b") }
            store.advance(seconds: 6)
            try await expect(cache, "a", 1)
            #expect(store.lookups == 4)
            store.advance(seconds: 480)
            await #expect(throws: RepositoryFailure.unavailable) { try await cache.value("a") }
            store.set(2)
            try await expect(cache, "a", 2)
        }
    }

    @Test("concurrent lookups are one, from several loops")
    func concurrent() async throws {
        let group = LoopGroup(count: 2)
        defer { group.stop() }
        let store = Store()
        let cache = Self.cache(store, on: group.loops[0])
        try await withThrowingTaskGroup(of: Int?.self) { tasks in
            for number in 0..<20 {
                tasks.addTask { try await group.loops[number % 2].run { _ in try await cache.value("a") } }
            }
            for try await value in tasks { #expect(value == 1) }
        }
        #expect(store.lookups < 20)
    }

    @Test("a table forgets what was not used for the longest time, and never holds more than its bound")
    func bound() {
        var table = BoundedTable<Int, Int>(countMax: 10)
        for number in 0..<1000 {
            table[number] = number
            #expect(table[0] == 0, "used again and again")
            #expect(table.count <= 10)
        }
        #expect(table[999] == 999 && table[500] == nil)
        table[999] = nil
        #expect(table[999] == nil)
    }
}

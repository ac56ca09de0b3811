package import EventLoop

/// Runs `body` on a loop of its own, which ends afterwards; what `body` left open is closed with it.
package func onLoop<Result: Sendable>(
    _ body: @escaping @Sendable (isolated Loop) async throws -> Result
) async throws -> Result {
    let group = LoopGroup(count: 1)
    defer { group.stop() }
    return try await group.loops[0].run(body)
}

/// Why a test stopped waiting.
package struct NeverHappened: Error {
    package let what: String
    package init(what: String) { self.what = what }
}

/// Looks again and again, for ten seconds at most, until `condition` holds.
///
/// To be called on a loop.
package func eventually(_ what: String, on loop: Loop, _ condition: () -> Bool) async throws {
    let start = ContinuousClock.now
    while !condition() {
        guard ContinuousClock.now - start < .seconds(30) else { throw NeverHappened(what: what) }
        try await loop.sleep(for: .milliseconds(5))
    }
}

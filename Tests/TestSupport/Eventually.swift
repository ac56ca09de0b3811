/// Polls `condition` until it holds or `limit` has passed; returns whether it held.
///
/// For state that gives no signal of its own. The condition is tried at least once, and once more at the deadline.
package func eventually(
    within limit: Duration = .seconds(30),
    _ condition: () async throws -> Bool
) async throws -> Bool {
    let clock = ContinuousClock()
    let deadline = clock.now.advanced(by: limit)
    while true {
        if try await condition() { return true }
        if clock.now >= deadline { return false }
        try await clock.sleep(for: .milliseconds(5))
    }
}

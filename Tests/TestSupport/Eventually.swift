/// Polls `condition` until it holds or `limit` is over, and says whether it held.
///
/// For what gives no signal of its own. The condition is always tried at least once, and once more at the deadline.
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

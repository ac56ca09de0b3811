package import EventLoop

/// Runs `body` on a fresh loop of its own and ends the loop afterwards.
package func onLoop<Result: Sendable>(
    _ body: @escaping @Sendable (isolated Loop) async throws -> Result
) async throws -> Result {
    let group = LoopGroup(count: 1)
    defer { group.stop() }
    return try await group.nextLoop().run(body)
}

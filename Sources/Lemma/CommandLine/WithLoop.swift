internal import EventLoop

/// Runs `body` on a loop of its own, which ends afterwards: for commands that only are clients.
func withLoop<Result: Sendable>(
    _ body: @escaping @Sendable (isolated Loop) async throws -> Result
) async throws -> Result {
    let group = LoopGroup(count: 1)
    defer { group.stop() }
    return try await group.loops[0].run(body)
}

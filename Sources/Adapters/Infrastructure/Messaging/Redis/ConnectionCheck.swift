internal import Cryptography
internal import RedisClient

/// Finds the permissions (ACL) that the Redis user lacks, on a fresh connection.
///
/// Without a permission, functions that are refused half-way would leave partial writes, and jobs would be redelivered
/// without end. So the connection of a user that lacks one is closed; the failure names what is missing.
struct ConnectionCheck: Sendable {
    let keys: Keyspace
    let functions: FunctionLibrary
    /// One that the server has.
    let partition: Int

    /// Throws `notConnected` with the names of what is missing.
    ///
    /// Loads the function library if Redis does not have it. Other failures, such as a server that is loading, are left
    /// to the commands that follow.
    func run(on connection: RedisConnection) async throws(RedisError) {
        var missing: [String] = []
        let channel = keys.probeChannel(partition)
        // A name of its own: a message that the check of another process publishes would be read as a reply.
        let own = "\(channel)-\(Base64URL.encode(SecureRandom.bytes(9)))"
        for name in ["SSUBSCRIBE", "SUNSUBSCRIBE"] {
            missing += try await refusal(of: RedisCommand(name, own), on: connection).map { [$0] } ?? []
            // Both are refused for the same reason.
            if !missing.isEmpty { break }
        }
        missing += try await missingWithinFunctions(on: connection)
        if let failure = Self.failure(missing) { throw failure }
    }

    /// The failure of a connection whose user lacks these permissions; nil if there are none.
    static func failure(_ missing: [String]) -> RedisError? {
        guard !missing.isEmpty else { return nil }
        var seen: Set<String> = []
        let names = missing.filter { seen.insert($0).inserted }.joined(separator: ", ")
        return .notConnected(
            reason: "the Redis user lacks rights: \(names) (docs/operations.md has the smallest ACL that works)"
        )
    }

    private func missingWithinFunctions(on connection: RedisConnection) async throws(RedisError) -> [String] {
        let call = MissingPermissionsCall(in: partition, keys)
        var permissions = RedisCommand("FCALL", functions.name(of: .missingPermissions), call.keys.count)
        permissions.append(contentsOf: call.keys + call.arguments)
        var reply = try await answer(to: permissions, on: connection)
        if case .failure(let error) = reply, error.isFunctionNotFound {
            let load = try await refusal(of: RedisCommand("FUNCTION", "LOAD", functions.code), on: connection)
            if let load { return [load] }
            reply = try await answer(to: permissions, on: connection)
        }
        switch reply {
        case .success(let value): return (try? call.decode(value)) ?? []
        case .failure(let error): return error.missingRight.map { [$0] } ?? []
        }
    }

    private func refusal(
        of command: RedisCommand,
        on connection: RedisConnection
    ) async throws(RedisError) -> String? {
        if case .failure(let error) = try await answer(to: command, on: connection) { error.missingRight } else { nil }
    }

    /// Throws if the connection fails.
    private func answer(
        to command: RedisCommand,
        on connection: RedisConnection
    ) async throws(RedisError) -> Result<RedisValue, RedisServerError> {
        do {
            return .success(try await connection.call(command, deadline: PartitionConnection.deadline))
        } catch {
            guard case .server(let answer) = error else { throw error }
            return .failure(answer)
        }
    }
}

extension RedisServerError {
    /// The permission that a `NOPERM` error names, as an ACL spells it; nil for any other error.
    fileprivate var missingRight: String? {
        guard isMissingRight else { return nil }
        if message.contains("channels") { return "the channels lemma:*" }
        if message.contains("keys") { return "the keys lemma:*" }
        let words = message.split(separator: "'")
        return words.count > 1 ? words[1].uppercased() : message
    }
}

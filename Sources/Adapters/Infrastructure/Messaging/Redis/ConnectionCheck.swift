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
        for command in Self.subscription(keys, in: partition) {
            missing += try await refusal(of: command, on: connection).map { [$0] } ?? []
            // Both are refused for the same reason.
            if !missing.isEmpty { break }
        }
        missing += try await missingWithinFunctions(on: connection)
        if let failure = Self.failure(missing) { throw failure }
    }

    /// The commands that try a subscription, to be sent without another one in between.
    ///
    /// The channel is unique: a message that another process's check publishes would be read as a reply.
    static func subscription(_ keys: Keyspace, in partition: Int) -> [RedisCommand] {
        let channel = "\(keys.probeChannel(partition))-\(Base64URL.encode(SecureRandom.bytes(9)))"
        return ["SSUBSCRIBE", "SUNSUBSCRIBE"].map { RedisCommand($0, channel) }
    }

    /// `error`, with the name of the missing permission where it is about one.
    static func failure(_ error: RedisError) -> RedisError {
        guard case .server(let refusal) = error, let missing = refusal.missingPermission else { return error }
        return failure([missing]) ?? error
    }

    /// The error of a connection whose user lacks these permissions; nil without any.
    static func failure(_ missing: [String]) -> RedisError? {
        guard !missing.isEmpty else { return nil }
        var seen: Set<String> = []
        let names = missing.filter { seen.insert($0).inserted }.joined(separator: ", ")
        return .notConnected(
            reason: "the Redis user lacks permissions: \(names) (docs/operations.md has the smallest ACL that works)"
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
        case .failure(let error): return error.missingPermission.map { [$0] } ?? []
        }
    }

    private func refusal(
        of command: RedisCommand,
        on connection: RedisConnection
    ) async throws(RedisError) -> String? {
        if case .failure(let error) = try await answer(to: command, on: connection) {
            error.missingPermission
        } else {
            nil
        }
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
    /// The permission that an error with `NOPERM` names, as an ACL spells it; nil for any other error.
    fileprivate var missingPermission: String? {
        guard isMissingPermission else { return nil }
        if message.contains("channels") { return "the channels lemma:*" }
        if message.contains("keys") { return "the keys lemma:*" }
        let words = message.split(separator: "'")
        return words.count > 1 ? words[1].uppercased() : message
    }
}

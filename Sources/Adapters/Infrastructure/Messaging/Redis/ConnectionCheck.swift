internal import Cryptography
internal import RedisClient

/// Finds out, on a fresh connection, what the Redis user may not do (ACL).
///
/// A user that lacks a right would leave the traces of functions that were refused half-way, and jobs that come back for
/// ever. So a connection without all rights does not count as one; its failure names them.
struct ConnectionCheck: Sendable {
    let keys: Keyspace
    let functions: FunctionLibrary

    /// Throws `notConnected` with what is missing.
    ///
    /// Loads the function library where Redis does not have it.
    /// What fails for another reason, such as a server that is loading, is left to the commands that follow.
    func run(on connection: RedisConnection) async throws(RedisError) {
        var missing: [String] = []
        let channel = keys.probeChannel(0)
        // Of its own: a message that another process's check publishes would be taken for an answer.
        let own = "\(channel)-\(Base64URL.encode(SecureRandom.bytes(9)))"
        for name in ["SSUBSCRIBE", "SUNSUBSCRIBE"] {
            missing += try await refusal(of: RedisCommand(name, own), on: connection).map { [$0] } ?? []
            // Both are refused for the same reason.
            if !missing.isEmpty { break }
        }
        missing += try await missingWithinFunctions(on: connection, channel)
        if let failure = Self.failure(missing) { throw failure }
    }

    /// What a connection fails with whose user lacks these rights; nil where there are none.
    static func failure(_ missing: [String]) -> RedisError? {
        guard !missing.isEmpty else { return nil }
        var seen: Set<String> = []
        let names = missing.filter { seen.insert($0).inserted }.joined(separator: ", ")
        return .notConnected(
            reason: "the Redis user lacks rights: \(names) (docs/operations.md has the smallest ACL that works)"
        )
    }

    private func missingWithinFunctions(
        on connection: RedisConnection,
        _ channel: String
    ) async throws(RedisError) -> [String] {
        let rights = RedisCommand("FCALL", functions.name(of: .missingPermissions), 1, keys.probe(0), channel)
        var reply = try await answer(to: rights, on: connection)
        if case .failure(let error) = reply, error.isFunctionNotFound {
            let load = try await refusal(of: RedisCommand("FUNCTION", "LOAD", functions.code), on: connection)
            if let load { return [load] }
            reply = try await answer(to: rights, on: connection)
        }
        switch reply {
        case .success(let value): return value.array?.compactMap(\.string) ?? []
        case .failure(let error): return error.missingRight.map { [$0] } ?? []
        }
    }

    private func refusal(
        of command: RedisCommand,
        on connection: RedisConnection
    ) async throws(RedisError) -> String? {
        if case .failure(let error) = try await answer(to: command, on: connection) { error.missingRight } else { nil }
    }

    /// Throws where the connection is at its end.
    private func answer(
        to command: RedisCommand,
        on connection: RedisConnection
    ) async throws(RedisError) -> Result<RedisValue, RedisServerError> {
        do {
            return .success(try await connection.call(command, deadline: RedisStore.commandDeadline))
        } catch {
            guard case .server(let answer) = error else { throw error }
            return .failure(answer)
        }
    }
}

extension RedisServerError {
    /// What an answer with `NOPERM` says is missing, as an ACL names it; nil for any other error.
    fileprivate var missingRight: String? {
        guard isMissingRight else { return nil }
        if message.contains("channels") { return "the channels lemma:*" }
        if message.contains("keys") { return "the keys lemma:*" }
        let words = message.split(separator: "'")
        return words.count > 1 ? words[1].uppercased() : message
    }
}

internal import EventLoop
package import RedisClient

/// Why a loop's part of Redis is not ready.
package enum ProbeFailure: Error, Equatable, CustomStringConvertible {
    /// Redis cannot be reached, or does not take writes.
    case failed(RedisError)
    /// A key that Lemma writes has another type, so that functions fail.
    case mistypedKey(String, type: String, expected: String)

    package var description: String {
        switch self {
        case .failed(let error): error.description
        case .mistypedKey(let key, let type, let expected):
            "the key \(key) is a \(type) and must be a \(expected); rename or delete it"
        }
    }
}

extension RedisStore {
    /// Permissions are checked again at the earliest after this time, because the check tries about 50 commands.
    private static let permissionsAge: Int64 = 5000

    /// Writes to every server and checks the types of keys and the permissions of the user, for readiness.
    ///
    /// Those of functions are checked with each fresh connection, and here at most every 5 s.
    package func probe() async throws(ProbeFailure) {
        do {
            for server in servers {
                let partition = server.partitions[0]
                _ = try await call(RedisCommand("SET", keys.probe(partition), "1", "PX", 1000), in: partition)
                try await checkPermissions(in: partition)
                try await checkSubscription(in: partition)
            }
        } catch {
            throw .failed(error)
        }
        for partition in 0..<keys.partitions { try await checkTypes(in: partition) }
    }

    private func checkPermissions(in partition: Int) async throws(RedisError) {
        let connection = connection(of: partition)
        if let last = connection.permissionsCheckedAt, loop.nowMilliseconds - last < Self.permissionsAge { return }
        let missing = try await call(MissingPermissionsCall(in: partition, keys))
        if let failure = ConnectionCheck.failure(missing) { throw failure }
        connection.permissionsCheckedAt = loop.nowMilliseconds
    }

    /// Detects a revoked permission to subscribe: no function can try it, and subscribers have connections of their own.
    private func checkSubscription(in partition: Int) async throws(RedisError) {
        let outcome = OneShot<RedisError?>(loop: loop)
        let commands = ConnectionCheck.subscription(keys, in: partition)
        // In one turn: between the two, Redis rejects every other command of this connection.
        for (index, command) in commands.enumerated() {
            connection(of: partition).send(command) { result in
                switch result {
                case .failure(let error): outcome.succeed(ConnectionCheck.failure(error))
                case .success: if index == commands.count - 1 { outcome.succeed(nil) }
                }
            }
        }
        let failure: RedisError?
        do {
            failure = try await outcome.value()
        } catch {
            throw .cancelled
        }
        if let failure { throw failure }
    }

    private func checkTypes(in partition: Int) async throws(ProbeFailure) {
        let mistake: MistypedKeysCall.Mistake?
        do {
            mistake = try await call(MistypedKeysCall(in: partition, keys))
        } catch {
            throw .failed(error)
        }
        if let mistake { throw .mistypedKey(mistake.key, type: mistake.type, expected: mistake.expected) }
    }
}

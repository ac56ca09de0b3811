internal import Cryptography
internal import EventLoop
internal import Time

extension RedisConnection {
    /// Connects, performs the TLS handshake, authenticates, selects the database and names the connection.
    ///
    /// Throws `notConnected` with the reason (which holds no secret), or `cancelled`.
    static func open(
        _ configuration: RedisConfiguration,
        on loop: Loop,
        observer: (any RedisObserver)?,
    ) async throws(RedisError) -> RedisConnection {
        let stream: ByteStream
        do {
            stream = try await ByteStream.connect(
                to: configuration.url.endpoint,
                on: loop,
                within: configuration.connectLimit,
            )
        } catch {
            if error == .cancelled { throw .cancelled }
            throw .notConnected(reason: "\(configuration.url.endpoint): \(error)")
        }
        let isSecured: Bool
        do {
            isSecured = try secure(stream, configuration)
        } catch {
            stream.close()
            throw .notConnected(reason: "\(configuration.url.endpoint): \(error)")
        }
        let connection = RedisConnection(stream: stream, isSecured: isSecured, observer: observer)
        do {
            try await connection.authenticate(configuration)
            return connection
        } catch {
            let reason = connection.wire.failure
            connection.close()
            switch error {
            case .cancelled: throw .cancelled
            case .server(let refusal): throw .notConnected(reason: "\(configuration.url.endpoint): \(refusal)")
            case .timedOut: throw .notConnected(reason: "\(configuration.url.endpoint): no answer in time")
            case .connectionLost, .notConnected, .overloaded, .closed:
                throw .notConnected(reason: "\(configuration.url.endpoint): \(reason ?? "closed")")
            }
        }
    }

    private static func secure(_ stream: ByteStream, _ configuration: RedisConfiguration) throws(TLSError) -> Bool {
        guard configuration.url.usesTLS, let tls = configuration.tls else { return false }
        switch configuration.url.endpoint {
        case .tcp(let host, _):
            stream.install(try TLSFilter(clientOf: host, tls))
            return true
        case .unix: return false
        }
    }

    /// Sends the first commands in one write and waits for their replies.
    private func authenticate(_ configuration: RedisConfiguration) async throws(RedisError) {
        let url = configuration.url
        let authenticated = OneShot<Result<Void, RedisError>>(loop: loop)
        func send(_ command: RedisCommand, isLast: Bool = false, mayFail: Bool = false) {
            let command = command
            let due = loop.nowMilliseconds + configuration.connectLimit.wholeMilliseconds
            let pending = PendingCommand(due: due, sentAt: MonotonicTime.nanoseconds) { result in
                switch result {
                case .failure(.server(let error)) where mayFail && error.code != "NOAUTH": break
                case .failure(let error): authenticated.succeed(.failure(error))
                case .success: break
                }
                if isLast { authenticated.succeed(.success(())) }
            }
            self.send(pending, command.format)
        }
        if let password = url.password {
            send(url.user.map { RedisCommand("AUTH", $0, password) } ?? RedisCommand("AUTH", password))
        }
        if url.database != 0 { send(RedisCommand("SELECT", url.database)) }
        if let name = configuration.clientName { send(RedisCommand("CLIENT", "SETNAME", name), mayFail: true) }
        // Always sent, so that a server has replied before a connection counts as one. It may be loading, or PING may
        // not be permitted.
        send(RedisCommand("PING"), isLast: true, mayFail: true)
        try await authenticated.settled()
    }
}

internal import CPostgres
package import EventLoop
internal import Glibc

extension PostgresConnection {
    /// Makes a connection within the configuration's limit.
    ///
    /// Host names are looked up on libuv's threads first, because libpq would block on them; the socket may be another
    /// one after each step, so it is watched for one step at a time. Throws `unreachable` or `cancelled`.
    package static func open(
        _ configuration: PostgresConfiguration,
        on loop: Loop
    ) async throws(PostgresError) -> PostgresConnection {
        let deadline = ContinuousClock.now + configuration.connectLimit
        let target = try await ConnectionTarget.resolve(configuration, on: loop)
        guard let connection = target.start() else { throw .unreachable(reason: "no memory is left") }
        do throws(PostgresError) {
            try await establish(connection, until: deadline, on: loop)
        } catch {
            PQfinish(connection)
            throw error
        }
        let adopted: PostgresConnection
        do {
            adopted = try PostgresConnection(adopting: connection, on: loop)
        } catch {
            throw .unreachable(reason: "\(error)")
        }
        do throws(PostgresError) {
            try await adopted.learnProcessID(within: deadline - .now)
            return adopted
        } catch {
            adopted.close()
            throw error == .cancelled ? .cancelled : .unreachable(reason: "\(target.place): \(error)")
        }
    }

    private static func establish(
        _ connection: OpaquePointer,
        until deadline: ContinuousClock.Instant,
        on loop: Loop
    ) async throws(PostgresError) {
        guard PQstatus(connection) != CONNECTION_BAD else { throw .unreachable(reason: complaint(of: connection)) }
        var wanted = SocketPoll.Readiness.writable
        while true {
            try await wait(for: wanted, of: connection, until: deadline, on: loop)
            switch PQconnectPoll(connection) {
            case PGRES_POLLING_OK: return
            case PGRES_POLLING_READING: wanted = .readable
            case PGRES_POLLING_WRITING: wanted = .writable
            case _: throw .unreachable(reason: complaint(of: connection))
            }
        }
    }

    private static func wait(
        for readiness: SocketPoll.Readiness,
        of connection: OpaquePointer,
        until deadline: ContinuousClock.Instant,
        on loop: Loop
    ) async throws(PostgresError) {
        let isReady = OneShot<Bool>(loop: loop)
        let timer = loop.schedule(after: deadline - .now) { isReady.succeed(false) }
        defer { timer.close() }
        let outcome: Bool
        do {
            let poll = try SocketPoll(socket: PQsocket(connection), on: loop) { _ in isReady.succeed(true) }
            defer { poll.close() }
            try poll.watch(for: readiness)
            outcome = try await isReady.value()
        } catch let error as NetworkError {
            throw .unreachable(reason: "\(error)")
        } catch {
            throw .cancelled
        }
        let place = PQhost(connection).map { String(cString: $0) } ?? "the server"
        guard outcome else { throw .unreachable(reason: "\(place): no answer in time") }
    }

    /// Libpq's words, a line for each address that it tried: host, user or database and the cause, never a password.
    ///
    /// Its hints, which are indented, are left out.
    private static func complaint(of connection: OpaquePointer) -> String {
        let text = PQerrorMessage(connection).map { String(cString: $0) } ?? ""
        let causes = text.split(separator: "\n").filter { !$0.hasPrefix("\t") }
        return causes.isEmpty ? "the connection failed" : causes.joined(separator: "; ")
    }
}

/// What libpq is given: the parameters with an address for every host.
private struct ConnectionTarget {
    private let parameters: [String: String]

    static func resolve(
        _ configuration: PostgresConfiguration,
        on loop: Loop
    ) async throws(PostgresError) -> ConnectionTarget {
        var parameters = configuration.parameters
        parameters["fallback_application_name"] = configuration.applicationName
        // Asking for Kerberos credentials may block; who wants them says so in the URI.
        if parameters["gssencmode"] == nil { parameters["gssencmode"] = "disable" }
        guard parameters["hostaddr"] == nil, let hosts = parameters["host"] ?? inheritedHost else {
            return ConnectionTarget(parameters: parameters)
        }
        let names = hosts.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        let ports = (parameters["port"] ?? "").split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        var places: [(host: String, address: String, port: String)] = []
        var failure: NetworkError?
        for (index, name) in names.enumerated() {
            let port = index < ports.count ? ports[index] : ports.last ?? ""
            if name.isEmpty || name.hasPrefix("/") || name.hasPrefix("@") {
                places.append((name, "", port))
                continue
            }
            do {
                let addresses = try await loop.addresses(of: name, within: configuration.connectLimit)
                places += addresses.map { (name, $0, port) }
            } catch {
                if error == .cancelled { throw .cancelled }
                failure = error
            }
        }
        guard !places.isEmpty else {
            throw .unreachable(reason: "\(hosts): \(failure.map { "\($0)" } ?? "no address")")
        }
        parameters["host"] = places.map(\.host).joined(separator: ",")
        parameters["hostaddr"] = places.map(\.address).joined(separator: ",")
        parameters["port"] = places.map(\.port).joined(separator: ",")
        return ConnectionTarget(parameters: parameters)
    }

    /// The host of libpq's environment variables, where the URI names none.
    private static var inheritedHost: String? {
        guard let defaults = PQconndefaults() else { return nil }
        defer { PQconninfoFree(defaults) }
        return PostgresConfiguration.values(defaults)["host"]
    }

    /// Host names, for a message.
    var place: String { parameters["host"] ?? "the server" }

    /// Begins to connect; nil without memory.
    func start() -> OpaquePointer? {
        let entries = Array(parameters)
        // Safety: libpq copies the strings before the call returns.
        let keywords = entries.map { strdup($0.key) }
        let values = entries.map { strdup($0.value) }
        defer { for copy in keywords + values { free(copy) } }
        return PQconnectStartParams(
            keywords.map { UnsafePointer($0) } + [nil],
            values.map { UnsafePointer($0) } + [nil],
            0
        )
    }
}

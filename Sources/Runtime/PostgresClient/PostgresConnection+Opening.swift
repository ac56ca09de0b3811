internal import CPostgres
package import EventLoop
internal import Glibc

extension PostgresConnection {
    /// Opens a connection within the configuration's limit.
    ///
    /// Host names are resolved on libuv's threads first, because libpq would block on them. Of several addresses the next
    /// one is tried after 250 ms. Throws `unreachable` or `cancelled`.
    package static func open(
        _ configuration: PostgresConfiguration,
        on loop: Loop
    ) async throws(PostgresError) -> PostgresConnection {
        let deadline = ContinuousClock.now + configuration.connectLimit
        let target = try await ConnectionTarget.resolve(configuration, on: loop)
        let connection = unsafe try await ConnectionRace(target.rotations, on: loop).run(until: deadline)
        let adopted: PostgresConnection
        do {
            adopted = unsafe try PostgresConnection(adopting: connection, on: loop)
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

    /// The error message of libpq, a line for each address that it tried: host, user or database and the cause, never a
    /// password.
    ///
    /// Its hints, which are indented, are omitted.
    static func errorMessage(of connection: OpaquePointer) -> String {
        let text = unsafe PQerrorMessage(connection).map { unsafe String(cString: $0) } ?? ""
        let causes = text.split(separator: "\n").filter { !$0.hasPrefix("\t") }
        return causes.isEmpty ? "the connection failed" : causes.joined(separator: "; ")
    }
}

/// The connection parameters for libpq, with an address for every host.
struct ConnectionTarget {
    private struct Place {
        var host: String
        var address: String
        var port: String
    }

    /// Further addresses are left to libpq alone.
    private static let candidatesMax = 8

    private let parameters: [String: String]
    private let places: [Place]

    static func resolve(
        _ configuration: PostgresConfiguration,
        on loop: Loop
    ) async throws(PostgresError) -> ConnectionTarget {
        var parameters = configuration.parameters
        parameters["fallback_application_name"] = configuration.applicationName
        // Acquiring Kerberos credentials may block, so they are off unless the URI enables them.
        if parameters["gssencmode"] == nil { parameters["gssencmode"] = "disable" }
        let ports = list(parameters["port"] ?? "")
        if let addresses = parameters["hostaddr"] {
            return ConnectionTarget(parameters: parameters, places: places(of: list(addresses), parameters, ports))
        }
        guard let hosts = parameters["host"] ?? inheritedHost else {
            return ConnectionTarget(parameters: parameters, places: [])
        }
        let names = list(hosts)
        var places: [Place] = []
        var failure: NetworkError?
        for (index, name) in names.enumerated() {
            let port = index < ports.count ? ports[index] : ports.last ?? ""
            if name.isEmpty || name.hasPrefix("/") || name.hasPrefix("@") {
                places.append(Place(host: name, address: "", port: port))
                continue
            }
            do {
                let addresses = try await loop.addresses(of: name, within: configuration.connectLimit)
                places += addresses.map { Place(host: name, address: $0, port: port) }
            } catch {
                if error == .cancelled { throw .cancelled }
                failure = error
            }
        }
        guard !places.isEmpty else {
            throw .unreachable(reason: "\(hosts): \(failure.map { "\($0)" } ?? "no address")")
        }
        return ConnectionTarget(parameters: parameters, places: places)
    }

    /// The places of addresses in the URI, each with its host name where there is one.
    private static func places(of addresses: [String], _ parameters: [String: String], _ ports: [String]) -> [Place] {
        let hosts = list(parameters["host"] ?? "")
        // libpq reports the mismatch.
        guard parameters["host"] == nil || hosts.count == addresses.count else { return [] }
        return addresses.enumerated().map { index, address in
            Place(
                host: index < hosts.count ? hosts[index] : "",
                address: address,
                port: index < ports.count ? ports[index] : ports.last ?? "",
            )
        }
    }

    private static func list(_ text: String) -> [String] {
        text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }

    /// The host of libpq's environment variables, for a URI without one.
    private static var inheritedHost: String? {
        guard let defaults = unsafe PQconndefaults() else { return nil }
        defer { unsafe PQconninfoFree(defaults) }
        return unsafe PostgresConfiguration.values(defaults)["host"]
    }

    /// The same places once per place, each time beginning with the next one.
    ///
    /// Only once where libpq must inspect all of them, in order to prefer one.
    var rotations: [ConnectionTarget] {
        guard places.count > 1, parameters["target_session_attrs"] != "prefer-standby" else { return [self] }
        return (0..<min(places.count, Self.candidatesMax)).map { first in
            ConnectionTarget(parameters: parameters, places: Array(places[first...] + places[..<first]))
        }
    }

    /// Host names, for a message.
    var place: String { parameters["host"] ?? "the server" }

    /// Begins to connect; nil when out of memory.
    func start() -> OpaquePointer? {
        var parameters = parameters
        if !places.isEmpty {
            parameters["host"] = places.map(\.host).joined(separator: ",")
            parameters["hostaddr"] = places.map(\.address).joined(separator: ",")
            parameters["port"] = places.map(\.port).joined(separator: ",")
        }
        let entries = Array(parameters)
        // Safety: libpq copies the strings before the call returns.
        let keywords = unsafe entries.map { unsafe strdup($0.key) }
        let values = unsafe entries.map { unsafe strdup($0.value) }
        defer {
            for index in entries.indices {
                unsafe free(keywords[index])
                unsafe free(values[index])
            }
        }
        return unsafe PQconnectStartParams(
            keywords.map { unsafe UnsafePointer($0) } + [nil],
            values.map { unsafe UnsafePointer($0) } + [nil],
            0
        )
    }
}

internal import CPostgres

/// How to reach PostgreSQL and what to put up with.
package struct PostgresConfiguration: Sendable {
    /// Keywords and values of libpq, as the URI has them.
    let parameters: [String: String]
    /// Shown in `pg_stat_activity`.
    package var applicationName: String
    /// Limit of making a connection: names, TLS and authentication included.
    package var connectLimit = Duration.seconds(2)
    /// Connections at most, those included that are being made or given up.
    package var connectionsMax = 8
    /// Callers that may wait for a connection; the next one is refused.
    package var waitersMax = 1000
    /// How long a connection may be unused before it is tried, so that a dead one is found before it is needed.
    package var probeAfter = Duration.seconds(10)
    /// How long a connection may be unused before it is closed; one is kept.
    package var closeAfter = Duration.seconds(60)

    /// Why a text is no URI of PostgreSQL; it may hold a password, so it is not quoted.
    package struct InvalidURI: Error, CustomStringConvertible {
        package let description = "it is no URI of the form postgres://user:password@host:5432/database?sslmode=require"
    }

    /// `uri` is what libpq takes: several hosts, `sslmode`, `target_session_attrs` and so on included.
    package init(uri: String, applicationName: String) throws(InvalidURI) {
        var complaint: UnsafeMutablePointer<CChar>?
        guard let options = PQconninfoParse(uri, &complaint) else {
            PQfreemem(complaint)
            throw InvalidURI()
        }
        defer { PQconninfoFree(options) }
        parameters = Self.values(options)
        self.applicationName = applicationName
    }

    /// The keywords of a list that ends with an option without one, where they have a value.
    static func values(_ options: UnsafeMutablePointer<PQconninfoOption>) -> [String: String] {
        var values: [String: String] = [:]
        var option = options
        // Safety: libpq ends the list with an entry whose keyword is null.
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val { values[String(cString: keyword)] = String(cString: value) }
            option += 1
        }
        return values
    }
}

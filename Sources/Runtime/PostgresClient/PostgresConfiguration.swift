internal import CPostgres

/// How to reach PostgreSQL, and the limits of a pool.
package struct PostgresConfiguration: Sendable {
    /// Keywords and values of libpq from the URI.
    let parameters: [String: String]
    /// Shown in `pg_stat_activity`.
    package var applicationName: String
    /// Limit of opening a connection, including name resolution, TLS and authentication.
    package var connectLimit = Duration.seconds(2)
    /// The most connections, including those that are opening or closing.
    package var connectionsMax = 8
    /// The most callers that may wait for a connection; the next one is rejected.
    package var waitersMax = 1000
    /// How long a connection may be unused before it is probed, so that a dead one is detected before it is needed.
    package var probeAfter = Duration.seconds(10)
    /// How long a connection may be unused before it is closed; the most recently used one stays open.
    package var closeAfter = Duration.seconds(60)

    /// The text is not a URI of PostgreSQL.
    ///
    /// It may hold a password, so the error does not quote it.
    package struct InvalidURI: Error, CustomStringConvertible {
        package let description = "it is no URI of the form postgres://user:password@host:5432/database?sslmode=require"
    }

    /// `uri` may contain everything that libpq supports, such as several hosts, `sslmode` and `target_session_attrs`.
    package init(uri: String, applicationName: String) throws(InvalidURI) {
        var message: UnsafeMutablePointer<CChar>?
        guard let options = unsafe PQconninfoParse(uri, &message) else {
            unsafe PQfreemem(message)
            throw InvalidURI()
        }
        defer { unsafe PQconninfoFree(options) }
        parameters = unsafe Self.values(options)
        self.applicationName = applicationName
    }

    /// The keywords that have a value, from a list that ends with an option without a keyword.
    static func values(_ options: UnsafeMutablePointer<PQconninfoOption>) -> [String: String] {
        var values: [String: String] = [:]
        var option = unsafe options
        // Safety: libpq ends the list with an entry whose keyword is null.
        while let keyword = unsafe option.pointee.keyword {
            if let value = unsafe option.pointee.val {
                unsafe values[String(cString: keyword)] = String(cString: value)
            }
            unsafe option += 1
        }
        return values
    }
}

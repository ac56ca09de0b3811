package import Settings

extension Configuration {
    /// Redis.
    package struct Redis: Sendable {
        /// `REDIS_URL`; never nil in a replica.
        package var url: ConnectionURL?
        /// `REDIS_TLS_CA`, a path; nil for the system's authorities.
        package var tlsAuthorities: String?
        /// `REDIS_TLS_CERT`, a path; set exactly when the key is.
        package var tlsCertificate: String?
        /// `REDIS_TLS_KEY`, a path.
        package var tlsKey: String?

        /// Warnings about TLS settings without effect, because the URL does not use TLS.
        var warnings: [String] {
            guard let url, url.scheme != "rediss" else { return [] }
            let files = [
                ("REDIS_TLS_CA", tlsAuthorities), ("REDIS_TLS_CERT", tlsCertificate), ("REDIS_TLS_KEY", tlsKey),
            ]
            return files.filter { $0.1 != nil }
                .map { "\($0.0) has no effect: REDIS_URL does not begin with rediss://" }
        }
    }
}

extension Configuration.Redis {
    init(_ reader: SettingReader, _ role: Role) {
        url = reader.optional(
            "REDIS_URL",
            .url(schemes: ["redis", "rediss", "unix"], reserved: ["redis+sentinel", "redis+cluster"]),
            required: role.isReplica,
            documented: "required outside `dev`",
            "Redis: `redis://user:password@host:6379/0`, `rediss://` with TLS, `unix:///path?db=0` for a socket. "
                + "`redis+sentinel://` and `redis+cluster://` are reserved for a later release."
        )
        tlsAuthorities = reader.optional(
            "REDIS_TLS_CA",
            .text,
            documented: "the system's authorities",
            "File with the certificate authorities (PEM) that `rediss://` trusts instead of the system's, which are OpenSSL's; "
                + "`SSL_CERT_FILE` replaces those for the whole process."
        )
        tlsCertificate = reader.optional(
            "REDIS_TLS_CERT",
            .text,
            "File with the client's certificate chain (PEM), for a Redis that requires one."
        )
        tlsKey = reader.optional("REDIS_TLS_KEY", .text, "File with the private key (PEM) of that certificate.")
    }
}

extension Configuration {
    /// PostgreSQL.
    package struct Database: Sendable {
        /// `DATABASE_URL`; never nil in a replica.
        package var url: ConnectionURL?
        /// `DATABASE_MAX_CONNECTIONS`, of one process.
        package var maxConnections: Int
    }
}

extension Configuration.Database {
    init(_ reader: SettingReader, _ role: Role) {
        url = reader.optional(
            "DATABASE_URL",
            .url(schemes: ["postgres", "postgresql"]),
            required: role.isReplica,
            documented: "required outside `dev`",
            "PostgreSQL, as a libpq URI: `postgres://user:password@host:5432/database`, with `?sslmode=verify-full` for TLS, "
                + "several hosts and `target_session_attrs`. A pooler is supported, also in transaction mode."
        )
        maxConnections = reader.value(
            "DATABASE_MAX_CONNECTIONS",
            .integer(1...1000),
            default: "8",
            "Maximum number of connections to PostgreSQL per process; opened on demand."
        )
    }
}

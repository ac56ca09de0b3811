internal import Cryptography
internal import LemmaSettings
internal import POSIX
internal import PostgresClient
internal import RedisClient
internal import Settings

/// Finds what only the modules that use a setting can find wrong with it: URLs that cannot be parsed, files that cannot
/// be read.
///
/// Part of every reading of the settings, so that such a mistake is reported with all others, by every command.
struct SettingChecks {
    private let configuration: Configuration
    private let role: Role
    private let reader: SettingReader

    init(_ configuration: Configuration, _ role: Role, _ reader: SettingReader) {
        self.configuration = configuration
        self.role = role
        self.reader = reader
    }

    func run() {
        checkStores()
        // A client opens none of the files.
        guard role != .client else { return }
        checkRedisTLS()
        if role != .worker {
            checkHTTPTLS()
            note("AUTH_ISSUERS") { _ = try Replica.issuers(configuration.auth) }
        }
        note("AUDIT_LOG") { if let file = configuration.logging.auditFile { _ = try LogFile(path: file) } }
        note("MOCK_SCRIPT") { _ = try Replica.mockScript(configuration.mock.script) }
    }

    private func checkStores() {
        do throws(RedisURLError) {
            if let url = configuration.redis.url { _ = try RedisURL(url.reveal()) }
        } catch {
            let advice = if case .unknownOption(let name) = error { RedisURLAdvice.instead(of: name) } else { "" }
            reader.refuse("REDIS_URL", because: "\(error)\(advice)")
        }
        note("DATABASE_URL") {
            guard let url = configuration.database.url else { return }
            _ = try PostgresConfiguration(uri: url.reveal(), applicationName: "")
        }
    }

    private func checkRedisTLS() {
        let redis = configuration.redis
        guard redis.url?.scheme == "rediss" else { return }
        note("REDIS_TLS_CA") { if let file = redis.tlsAuthorities { _ = try TLSContext.client(trusting: file) } }
        note("REDIS_TLS_CERT") { if let identity = redis.identity { _ = try TLSContext.client(as: identity) } }
    }

    private func checkHTTPTLS() {
        guard let certificate = configuration.http.tlsCertificate, let key = configuration.http.tlsKey else { return }
        note("HTTP_TLS_CERT") { _ = try TLSContext.server(certificateFile: certificate, keyFile: key) }
    }

    /// Notes what `use` throws, whose description names no secret, as a mistake in the setting.
    private func note(_ name: String, _ use: () throws -> Void) {
        do { try use() } catch { reader.refuse(name, because: "\(error)") }
    }
}

/// What to do instead of the options that other clients of Redis take in a URL.
enum RedisURLAdvice {
    /// Follows the message that the option is unknown.
    static func instead(of option: String) -> String {
        switch option.lowercased() {
        case "ssl_cert_reqs", "ssl_check_hostname", "tls_insecure", "ssl":
            "; remove it: rediss:// always verifies certificate and host name, and REDIS_TLS_CA names whom to trust"
        case "ssl_ca_certs", "ssl_ca_path", "ssl_ca_data", "cafile", "tls_ca_cert_file":
            "; remove it, and name the file in REDIS_TLS_CA"
        case "ssl_certfile", "cert", "certfile", "tls_cert_file":
            "; remove it, and name the file in REDIS_TLS_CERT"
        case "ssl_keyfile", "key", "keyfile", "tls_key_file":
            "; remove it, and name the file in REDIS_TLS_KEY"
        case "db", "database": "; write the database's number behind the host instead: redis://host:6379/1"
        case "user", "username", "password":
            "; write user and password before the host instead: redis://user:password@host:6379"
        case _: "; remove it: Lemma sets what there is to set on its connections by itself"
        }
    }
}

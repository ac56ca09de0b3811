package import Settings

/// The configuration of one process.
///
/// A section has a file in `Sections` with its fields and their rows: environment variable, format, default and meaning.
package struct Configuration: Sendable {
    /// The public listener.
    package var http: HTTP
    /// The operations listener.
    package var ops: Ops
    /// Event-loop threads, at least 1.
    package var eventLoops: Int
    /// Redis.
    package var redis: Redis
    /// PostgreSQL.
    package var database: Database
    /// Authentication.
    package var auth: Auth
    /// AI providers.
    package var ai: AI
    /// Time limits, retries and guards of the calls of a provider.
    package var calls: Calls
    /// The mock provider.
    package var mock: Mock
    /// Jobs and workers.
    package var jobs: Jobs
    /// Streams to clients.
    package var stream: Stream
    /// Limits per user and per address.
    package var limits: Limits
    /// The part of a conversation that a provider receives.
    package var context: Context
    /// From SIGTERM to the end of streams and jobs.
    package var drainGrace: Duration
    /// Logs.
    package var logging: Logging
    /// Traces.
    package var otel: OTel
    /// The terminal client.
    package var client: Client
}

/// A configuration with its rows and warnings.
package struct LoadedConfiguration: Sendable {
    /// The configuration.
    package let configuration: Configuration
    /// Each setting with its value and source, in the order of the sections.
    package let rows: [Setting]
    /// Probable mistakes that do not prevent the start, one sentence each; they contain no secret.
    package let warnings: [String]
}

extension Configuration {
    /// Reads all settings from the process environment and the text of `.env` (nil without the file).
    ///
    /// Unknown names are ignored in the environment and cause a warning in `.env`. `check` reports to the reader the
    /// mistakes that only the modules that use a value can detect.
    /// - Throws: all mistakes together.
    package static func load(
        environment: [String: String],
        dotEnv: String?,
        in surroundings: Surroundings,
        check: (Configuration, SettingReader) -> Void = { _, _ in }
    ) throws(InvalidSettings) -> LoadedConfiguration {
        let file = DotEnv(dotEnv ?? "")
        let reader = SettingReader(environment: environment, dotEnv: file.values)
        let configuration = Configuration(reader, surroundings)
        configuration.checkTogether(reader)
        check(configuration, reader)
        let mistakes = file.mistakes + reader.mistakes
        guard mistakes.isEmpty else { throw InvalidSettings(mistakes: mistakes) }
        let names = reader.rows.map(\.name)
        let unknown = file.names.filter { !names.contains($0) }.map { Suggestion.warning(about: $0, known: names) }
        return LoadedConfiguration(
            configuration: configuration,
            rows: reader.rows,
            warnings: unknown + configuration.warnings(surroundings.role),
        )
    }

    /// The same with the surroundings of `role`.
    package static func load(
        environment: [String: String],
        dotEnv: String?,
        role: Role,
        isTerminal: Bool = false
    ) throws(InvalidSettings) -> LoadedConfiguration {
        try load(environment: environment, dotEnv: dotEnv, in: Surroundings(role: role, isTerminal: isTerminal))
    }

    private func checkTogether(_ reader: SettingReader) {
        if (http.tlsCertificate == nil) != (http.tlsKey == nil) {
            let names = ["HTTP_TLS_CERT", "HTTP_TLS_KEY"]
            reader.note(.contradiction(names: names, reason: "set both of them, or neither"))
        }
        if (redis.tlsCertificate == nil) != (redis.tlsKey == nil) {
            let names = ["REDIS_TLS_CERT", "REDIS_TLS_KEY"]
            reader.note(.contradiction(names: names, reason: "set both of them, or neither"))
        }
        if Set(ai.providers).count != ai.providers.count {
            reader.note(.contradiction(names: ["AI_PROVIDERS"], reason: "name each provider once"))
        }
    }

    private func warnings(_ role: Role) -> [String] {
        (role.isReplica && limits.corsOrigins.contains("*") ? ["CORS_ORIGINS allows every origin"] : [])
            + redis.warnings
    }
}

internal import Glibc

/// The configuration of one process.
///
/// Every field is explained by its row of the table, in `ConfigurationTable.swift`.
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
    /// Tokens and who may come in.
    package var auth: Auth
    /// Providers and how their calls are guarded.
    package var ai: AI
    /// The mock provider.
    package var mock: Mock
    /// Jobs and workers.
    package var jobs: Jobs
    /// Streams to clients.
    package var stream: Stream
    /// Limits on what a user may ask for.
    package var limits: Limits
    /// The window of a conversation that a provider sees.
    package var context: Context
    /// From SIGTERM to the end of streams and jobs.
    package var drainGrace: Duration
    /// Logs.
    package var logging: Logging
    /// Traces.
    package var otel: OTel
}

/// What a process is there for; defaults and what is required depend on it.
package enum Role: String, Sendable, CaseIterable {
    /// Everything in one process; needs no configuration.
    case dev
    /// An API replica.
    case api
    /// A worker replica.
    case worker
    /// A command that serves nothing: `ask`, `bench`, `migrate`, …
    case client

    /// A replica in operation, which must not guess where its servers and secrets are.
    var isReplica: Bool {
        switch self {
        case .api, .worker: true
        case .dev, .client: false
        }
    }
}

/// What is around the process and decides about defaults.
package struct Surroundings: Sendable {
    /// What the process is there for.
    package let role: Role
    /// Whether standard output is a terminal.
    package let isTerminal: Bool
    /// Processors to use, at least 1.
    package let processors: Int

    /// By default the processors are those that are online.
    package init(role: Role, isTerminal: Bool = false, processors: Int? = nil) {
        self.role = role
        self.isTerminal = isTerminal
        self.processors = max(1, processors ?? Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    }
}

/// A configuration with what is to be said about it.
package struct LoadedConfiguration: Sendable {
    /// The configuration.
    package let configuration: Configuration
    /// Each setting with its value and source, in the order of the table.
    package let rows: [Setting]
    /// What is probably a slip but not a mistake, one sentence each; never a secret.
    package let warnings: [String]
}

extension Configuration {
    /// Reads the table out of the process environment and the text of `.env` (nil without the file).
    ///
    /// Unknown names are ignored in the environment and give a warning in `.env`. `check` notes in the reader what only
    /// the modules that use a value can find wrong with it.
    /// - Throws: all mistakes at once.
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
            warnings: unknown + reader.rows.compactMap(\.reservation) + configuration.warnings(surroundings.role),
        )
    }

    /// Shorter: reads with the surroundings of `role`.
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
            reader.note(.contradiction(names: ["AI_PROVIDERS"], reason: "each provider may stand once"))
        }
    }

    private func warnings(_ role: Role) -> [String] {
        (role.isReplica && limits.corsOrigins.contains("*") ? ["CORS_ORIGINS allows every origin"] : [])
            + redis.warnings
    }
}

/// The sections of the configuration. A field's meaning, default and limits stand in its row of the table.
extension Configuration {
    /// The public listener.
    package struct HTTP: Sendable {
        /// `HTTP_HOST`.
        package var host: String
        /// `HTTP_PORT`; 0 lets the system choose.
        package var port: Int
        /// `HTTP_TLS_CERT`, a path; set exactly when the key is.
        package var tlsCertificate: String?
        /// `HTTP_TLS_KEY`, a path.
        package var tlsKey: String?
    }

    /// The operations listener.
    package struct Ops: Sendable {
        /// `OPS_HOST`.
        package var host: String
        /// `OPS_PORT`; 0 lets the system choose.
        package var port: Int
    }

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

        /// What is set for TLS while the URL asks for none.
        var warnings: [String] {
            guard let url, url.scheme != "rediss" else { return [] }
            let files = [
                ("REDIS_TLS_CA", tlsAuthorities), ("REDIS_TLS_CERT", tlsCertificate), ("REDIS_TLS_KEY", tlsKey),
            ]
            return files.filter { $0.1 != nil }
                .map { "\($0.0) has no effect: REDIS_URL does not begin with rediss://" }
        }
    }

    /// PostgreSQL.
    package struct Database: Sendable {
        /// `DATABASE_URL`; never nil in a replica.
        package var url: ConnectionURL?
        /// `DATABASE_MAX_CONNECTIONS`, of one process.
        package var maxConnections: Int
    }

    /// Tokens and who may come in.
    package struct Auth: Sendable {
        /// `JWT_SECRET`: the first signs, all verify; never empty in an API replica.
        package var jwtSecrets: [Secret]
        /// `JWT_ACCESS_TTL`.
        package var accessTTL: Duration
        /// `JWT_REFRESH_TTL`.
        package var refreshTTL: Duration
        /// `AUTH_REQUIRED`.
        package var required: Bool
    }

    /// Providers and how their calls are guarded.
    package struct AI: Sendable {
        /// Where a remote provider is reached.
        package struct Endpoint: Sendable {
            /// Without a trailing slash.
            package var baseURL: String
            /// Nil for servers that want none.
            package var apiKey: Secret?
            /// The model asked for.
            package var model: String?
        }

        /// `AI_PROVIDERS`: the fall-back chain; never empty in a replica.
        package var providers: [Provider]
        /// `OPENAI_…`, `GEMINI_…`: one for each remote provider there is, by its name.
        package var endpoints: [String: Endpoint]
        /// `AI_CONNECT_TIMEOUT`.
        package var connectTimeout: Duration
        /// `AI_FIRST_TOKEN_TIMEOUT`.
        package var firstTokenTimeout: Duration
        /// `AI_IDLE_TIMEOUT`.
        package var idleTimeout: Duration
        /// `AI_TOTAL_TIMEOUT`.
        package var totalTimeout: Duration
        /// `AI_MAX_RETRIES`.
        package var maxRetries: Int
        /// `AI_HEDGE_AFTER`; nil when off.
        package var hedgeAfter: Duration?
        /// `AI_SEND_TRACEPARENT`.
        package var sendsTraceParent: Bool
        /// `AI_BREAKER_FAILURES`.
        package var breakerFailures: Int
        /// `AI_BREAKER_OPEN`.
        package var breakerOpen: Duration
        /// `AI_MAX_CONCURRENCY`, and whether somebody has set it.
        package var maxConcurrency: Int
        package var limitsAllProviders: Bool

        /// How many calls of a provider there may be at once.
        ///
        /// What runs in this very process is bounded by the jobs already: it is limited only where somebody wishes so.
        package func callsMax(of provider: Provider) -> Int {
            provider.remote != nil || limitsAllProviders ? maxConcurrency : .max
        }
    }

    /// The mock provider.
    package struct Mock: Sendable {
        /// What its tokens say.
        package enum Content: String, Sendable, CaseIterable {
            case echo
            case conversation
            case timestamps
        }

        /// `MOCK_TOKENS`; nil: the problem's words once through.
        package var tokens: Int?
        /// `MOCK_TOKEN_DELAY`.
        package var tokenDelay: Duration
        /// `MOCK_FIRST_TOKEN_DELAY`.
        package var firstTokenDelay: Duration
        /// `MOCK_CONTENT`.
        package var content: Content
        /// `MOCK_SCRIPT`, a path.
        package var script: String?
    }

    /// Jobs and workers.
    package struct Jobs: Sendable {
        /// `WORKER_CONCURRENCY`.
        package var concurrency: Int
        /// `JOB_PARTITIONS`.
        package var partitions: Int
        /// `JOB_MAX_ATTEMPTS`.
        package var maxAttempts: Int
        /// `JOB_LEASE`.
        package var lease: Duration
        /// `QUEUE_MAX_DEPTH`.
        package var queueMaxDepth: Int
        /// `CONVERSATION_MAX_WAITING`.
        package var conversationMaxWaiting: Int
        /// `ARCHIVE_MAX_WAITING`.
        package var archiveMaxWaiting: Int
        /// `IDEMPOTENCY_TTL`.
        package var idempotencyTTL: Duration
        /// `DEAD_LETTERS_MAX`.
        package var deadLettersMax: Int
    }

    /// Streams to clients.
    package struct Stream: Sendable {
        /// `STREAM_TTL_LIVE`.
        package var ttlLive: Duration
        /// `STREAM_TTL_DONE`.
        package var ttlDone: Duration
        /// `SSE_HEARTBEAT`.
        package var heartbeat: Duration
        /// `SSE_BUFFER_LIMIT`, in bytes.
        package var bufferBytesMax: Int
        /// `DISCONNECT_GRACE`.
        package var disconnectGrace: Duration
    }

    /// Limits on what a user may ask for, and who counts as whom.
    package struct Limits: Sendable {
        /// `RATE_LIMIT_SOLVE`, per user; nil when off.
        package var solve: Rate?
        /// `RATE_LIMIT_AUTH`, per address; nil when off.
        package var auth: Rate?
        /// `USER_MAX_ACTIVE`; nil when off.
        package var userMaxActive: Int?
        /// `CORS_ORIGINS`, in lower case; `*` for all.
        package var corsOrigins: [String]
        /// `TRUSTED_PROXIES`.
        package var trustedProxies: [IPNetwork]
    }

    /// The window of a conversation that a provider sees.
    package struct Context: Sendable {
        /// `CONTEXT_MAX_TURNS`.
        package var maxTurns: Int
        /// `CONTEXT_MAX_TOKENS`.
        package var maxTokens: Int
    }

    /// Logs.
    package struct Logging: Sendable {
        /// The least severe level that is written; raw values are the logger's.
        package enum Level: String, Sendable, CaseIterable {
            case trace
            case debug
            case info
            case warning
            case error
        }

        /// The form of a line.
        package enum Format: String, Sendable, CaseIterable {
            case json
            case text
        }

        /// `LOG_LEVEL`.
        package var level: Level
        /// `LOG_FORMAT`.
        package var format: Format
    }

    /// Traces.
    package struct OTel: Sendable {
        /// How it is decided which traces are kept, by OpenTelemetry's names.
        package enum Sampler: String, Sendable, CaseIterable {
            case alwaysOn = "always_on"
            case alwaysOff = "always_off"
            case ratio = "traceidratio"
            case parentAlwaysOn = "parentbased_always_on"
            case parentAlwaysOff = "parentbased_always_off"
            case parentRatio = "parentbased_traceidratio"
        }

        /// Where traces go: `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` as it is, or a path below `OTEL_EXPORTER_OTLP_ENDPOINT`; nil
        /// switches tracing off.
        package var tracesURL: String?
        /// `OTEL_RESOURCE_ATTRIBUTES`, without `service.name`.
        package var resourceAttributes: [ResourceAttribute]
        /// `OTEL_EXPORTER_OTLP_HEADERS`: fields that each request to the collector carries.
        package var headers: [HeaderField]
        /// `OTEL_SERVICE_NAME`.
        package var serviceName: String
        /// `OTEL_TRACES_SAMPLER`.
        package var sampler: Sampler
        /// `OTEL_TRACES_SAMPLER_ARG`: the share kept by the ratio samplers, 0…1.
        package var samplerRatio: Double
    }
}

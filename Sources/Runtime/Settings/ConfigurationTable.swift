// The table of all settings: name, what is allowed, default, meaning. Nothing else in the program reads the
// environment; `docs/configuration.md` is generated from here, section by
// section as `ConfigurationReading.swift` has them.

extension Configuration.HTTP {
    init(_ reader: SettingReader) {
        host = reader.value("HTTP_HOST", .host, default: "0.0.0.0", "Address of the public listener.")
        port = reader.value(
            "HTTP_PORT",
            .integer(0...65_535),
            default: "8080",
            "Port of the public listener; `0` lets the system choose."
        )
        tlsCertificate = reader.optional(
            "HTTP_TLS_CERT",
            .text,
            "File with the certificate chain (PEM); with the key, the public listener serves TLS."
        )
        tlsKey = reader.optional("HTTP_TLS_KEY", .text, "File with the private key (PEM) of the certificate.")
    }
}

extension Configuration.Ops {
    init(_ reader: SettingReader) {
        host = reader.value(
            "OPS_HOST",
            .host,
            default: "0.0.0.0",
            "Address of the health and metrics listener, of API and worker alike."
        )
        port = reader.value(
            "OPS_PORT",
            .integer(0...65_535),
            default: "9090",
            "Port of the health and metrics listener; `0` lets the system choose."
        )
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
            "File with the certificate authorities (PEM) that `rediss://` trusts instead of the system's. The system's are "
                + "OpenSSL's; `SSL_CERT_FILE` names another file of them for the whole process."
        )
        tlsCertificate = reader.optional(
            "REDIS_TLS_CERT",
            .text,
            "File with the client's certificate chain (PEM), for a Redis that asks for one."
        )
        tlsKey = reader.optional("REDIS_TLS_KEY", .text, "File with the private key (PEM) of that certificate.")
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
                + "several hosts and `target_session_attrs`. A pooler may stand between, also one for each transaction."
        )
        maxConnections = reader.value(
            "DATABASE_MAX_CONNECTIONS",
            .integer(1...1000),
            default: "8",
            "Connections to PostgreSQL at most, per process; they are opened when they are needed."
        )
    }
}

extension Configuration.Auth {
    init(_ reader: SettingReader, _ role: Role) {
        let secrets = reader.optional(
            "JWT_SECRET",
            SettingFormat<Secret>.secret(bytesMin: 32).list(),
            required: role == .api,
            documented: "required for `api`",
            "Keys of the access tokens. The first signs, all verify, so that a key can be changed without a gap."
        )
        jwtSecrets = secrets ?? []
        accessTTL = reader.value(
            "JWT_ACCESS_TTL",
            .duration(from: .seconds(1)),
            default: "15m",
            reserved: true,
            "How long an access token is good."
        )
        refreshTTL = reader.value(
            "JWT_REFRESH_TTL",
            .duration(from: .seconds(1)),
            default: "30d",
            reserved: true,
            "How long a refresh token is good."
        )
        required = reader.value(
            "AUTH_REQUIRED",
            .boolean,
            default: SettingDefault(role == .dev ? "false" : "true", documented: "`true` (`false` in `dev`)"),
            "With `false`, a request without a token acts as user `anonymous`; credentials that are no access token or "
                + "API key are ignored."
        )
    }
}

extension Configuration.Jobs {
    init(_ reader: SettingReader) {
        concurrency = reader.value(
            "WORKER_CONCURRENCY",
            .integer(1...1_000_000),
            default: "256",
            "Jobs in flight per worker replica."
        )
        partitions = reader.value(
            "JOB_PARTITIONS",
            .integer(1...1024),
            default: "1",
            "Partitions of the keyspace, the same in all replicas. On Redis Cluster: several per master."
        )
        maxAttempts = reader.value(
            "JOB_MAX_ATTEMPTS",
            .integer(1...1000),
            default: "3",
            "Attempts before the dead-letter queue."
        )
        lease = reader.value(
            "JOB_LEASE",
            .duration(from: .milliseconds(100)),
            default: "30s",
            "Time after which a silent worker's job is taken over."
        )
        queueMaxDepth = reader.value(
            "QUEUE_MAX_DEPTH",
            .integer(1...1_000_000_000),
            default: "10000",
            "Waiting jobs above which submission answers 503."
        )
        conversationMaxWaiting = reader.value(
            "CONVERSATION_MAX_WAITING",
            .integer(1...100_000),
            default: "16",
            "Requests that may wait for their turn in one conversation; one more is answered 429."
        )
        archiveMaxWaiting = reader.value(
            "ARCHIVE_MAX_WAITING",
            .integer(1...1_000_000_000),
            default: "100000",
            "Records that may wait in Redis for PostgreSQL; above, submission answers 503."
        )
        idempotencyTTL = reader.value(
            "IDEMPOTENCY_TTL",
            .duration(from: .seconds(1)),
            default: "24h",
            "How long an `Idempotency-Key` is remembered."
        )
        deadLettersMax = reader.value(
            "DEAD_LETTERS_MAX",
            .integer(1...10_000_000),
            default: "10000",
            "Dead letters kept per partition, of jobs and of records each; the oldest go first."
        )
    }
}

extension Configuration.Stream {
    init(_ reader: SettingReader) {
        ttlLive = reader.value(
            "STREAM_TTL_LIVE",
            .duration(from: .seconds(1)),
            default: "1h",
            "Expiry of a request's keys while it runs; refreshed."
        )
        ttlDone = reader.value(
            "STREAM_TTL_DONE",
            .duration(from: .seconds(1)),
            default: "10m",
            "Expiry of a request's keys after its end."
        )
        heartbeat = reader.value(
            "SSE_HEARTBEAT",
            .duration(from: .milliseconds(10)),
            default: "15s",
            "Interval of the comments, or pings, that keep a connection alive."
        )
        bufferBytesMax = reader.value(
            "SSE_BUFFER_LIMIT",
            .bytes(1024...(1 << 30)),
            default: "256KiB",
            "Bytes buffered for one slow reader before it is served from Redis instead."
        )
        disconnectGrace = reader.value(
            "DISCONNECT_GRACE",
            .duration(from: .zero),
            default: "10s",
            "How long nobody may watch before `onDisconnect: cancel` acts."
        )
    }
}

extension Configuration.Limits {
    init(_ reader: SettingReader, _ role: Role) {
        func rate(_ text: String) -> SettingDefault {
            SettingDefault(role == .dev ? "off" : text, documented: "`\(text)` (`off` in `dev`)")
        }
        solve = reader.value(
            "RATE_LIMIT_SOLVE",
            SettingFormat<Rate>.rate.orOff(),
            default: rate("60/m"),
            reserved: true,
            "Submissions per user."
        )
        auth = reader.value(
            "RATE_LIMIT_AUTH",
            SettingFormat<Rate>.rate.orOff(),
            default: rate("10/m"),
            reserved: true,
            "Registrations and logins per address."
        )
        userMaxActive = reader.value(
            "USER_MAX_ACTIVE",
            SettingFormat<Int>.integer(1...1_000_000).orOff(),
            default: "4",
            reserved: true,
            "Requests queued or running per user; does not hold for `anonymous`."
        )
        corsOrigins =
            reader.optional("CORS_ORIGINS", SettingFormat<String>.origin.list(), "Allowed browser origins.") ?? []
        let networks = reader.optional(
            "TRUSTED_PROXIES",
            SettingFormat<IPNetwork>.network.list(),
            "Networks whose `X-Forwarded-For` counts."
        )
        trustedProxies = networks ?? []
    }
}

extension Configuration.Context {
    init(_ reader: SettingReader) {
        maxTurns = reader.value(
            "CONTEXT_MAX_TURNS",
            .integer(0...10_000),
            default: "20",
            "Earlier turns of a conversation given to the provider; a turn is a question with its answer."
        )
        maxTokens = reader.value(
            "CONTEXT_MAX_TOKENS",
            .integer(0...100_000_000),
            default: "8000",
            "Tokens of earlier turns given to the provider."
        )
    }
}

extension Configuration.Logging {
    init(_ reader: SettingReader, isTerminal: Bool) {
        level = reader.value("LOG_LEVEL", .choice, default: "info", "The least severe level that is written.")
        format = reader.value(
            "LOG_FORMAT",
            .choice,
            default: SettingDefault(isTerminal ? "text" : "json", documented: "`json` (`text` on a terminal)"),
            "Form of a log line."
        )
    }
}

extension Configuration.OTel {
    init(_ reader: SettingReader, _ role: Role) {
        let base = reader.optional(
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            .httpURL,
            "Collector of traces, which go to `/v1/traces` below it; without it and the next one, tracing is off."
        )
        let traces = reader.optional(
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            .exactHTTPURL,
            "Where traces go, used as it is; wins over the one before."
        )
        tracesURL = traces ?? base.map { "\($0)/v1/traces" }
        let headers = reader.optional(
            "OTEL_EXPORTER_OTLP_HEADERS",
            SettingFormat<HeaderField>.headerField.list(),
            "Header fields of the requests to the collector, such as its key.",
        )
        self.headers = headers ?? []
        let attributes = reader.optional(
            "OTEL_RESOURCE_ATTRIBUTES",
            SettingFormat<ResourceAttribute>.resourceAttribute.list(),
            "What traces say of the process besides, such as `deployment.environment=staging,k8s.cluster.name=eu`."
        )
        resourceAttributes = (attributes ?? []).filter { $0.key != ResourceAttribute.serviceName }
        let named = attributes?.last { $0.key == ResourceAttribute.serviceName }?.value
        serviceName = reader.value(
            "OTEL_SERVICE_NAME",
            .text,
            default: SettingDefault(
                named ?? "lemma-\(role.rawValue)",
                documented: "`service.name` of `OTEL_RESOURCE_ATTRIBUTES`, else `lemma-api`, `lemma-worker`, …",
            ),
            "Name of the service in traces and logs."
        )
        sampler = reader.value(
            "OTEL_TRACES_SAMPLER",
            .choice,
            default: "parentbased_always_on",
            "Which traces are kept."
        )
        samplerRatio = reader.value(
            "OTEL_TRACES_SAMPLER_ARG",
            .number(0...1),
            default: "1.0",
            "Share of traces that the ratio samplers keep."
        )
    }
}

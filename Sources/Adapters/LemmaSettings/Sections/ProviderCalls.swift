internal import Settings

extension Configuration {
    /// Time limits, retries and guards of the calls of a provider.
    package struct Calls: Sendable {
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
        /// `AI_MAX_CONCURRENCY`.
        package var maxConcurrency: Int
        /// True if `AI_MAX_CONCURRENCY` is set.
        package var limitsAllProviders: Bool

        /// Maximum number of concurrent calls of a provider.
        ///
        /// The number of jobs already bounds the calls of a provider that runs in this process. Such a provider has a limit
        /// of its own only where `AI_MAX_CONCURRENCY` is set.
        package func callsMax(of provider: AI.Provider) -> Int {
            provider.remote != nil || limitsAllProviders ? maxConcurrency : .max
        }
    }
}

extension Configuration.Calls {
    init(_ reader: SettingReader) {
        connectTimeout = reader.value(
            "AI_CONNECT_TIMEOUT",
            .duration(),
            default: "5s",
            "Limit for the connection, per provider attempt."
        )
        firstTokenTimeout = reader.value(
            "AI_FIRST_TOKEN_TIMEOUT",
            .duration(),
            default: "30s",
            "Limit until the first token, per provider attempt."
        )
        idleTimeout = reader.value(
            "AI_IDLE_TIMEOUT",
            .duration(),
            default: "30s",
            "Limit between two tokens, per provider attempt."
        )
        totalTimeout = reader.value(
            "AI_TOTAL_TIMEOUT",
            .duration(),
            default: "10m",
            "Limit for the whole answer, per provider attempt."
        )
        maxRetries = reader.value(
            "AI_MAX_RETRIES",
            .integer(0...100),
            default: "2",
            "Retries of one provider before its first token."
        )
        hedgeAfter = reader.value(
            "AI_HEDGE_AFTER",
            SettingFormat<Duration>.duration().orOff(),
            default: "off",
            "Time without a token after which the next provider is called in parallel."
        )
        sendsTraceParent = reader.value(
            "AI_SEND_TRACEPARENT",
            .onOff,
            default: "off",
            "Whether requests to remote providers carry a `traceparent`. They never carry a `tracestate`."
        )
        breakerFailures = reader.value(
            "AI_BREAKER_FAILURES",
            .integer(1...1_000_000),
            default: "5",
            "Consecutive failures that open a provider's circuit breaker."
        )
        breakerOpen = reader.value(
            "AI_BREAKER_OPEN",
            .duration(),
            default: "30s",
            "How long a circuit breaker stays open."
        )
        maxConcurrency = reader.value(
            "AI_MAX_CONCURRENCY",
            .integer(1...1_000_000),
            default: SettingDefault("200", documented: "`200`; none for `local` and `mock`"),
            "Concurrent calls of one provider, per process."
        )
        limitsAllProviders = reader.isSet("AI_MAX_CONCURRENCY")
    }
}

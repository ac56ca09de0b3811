// The rows of the table about AI providers; `ConfigurationTable.swift` has the others.

extension Configuration.AI {
    init(_ reader: SettingReader, _ role: Role) {
        let chain = reader.optional(
            "AI_PROVIDERS",
            SettingFormat<Provider>.choice.list(),
            required: role.isReplica,
            default: role == .dev ? "local" : nil,
            documented: "`local` in `dev`, else required",
            "Fall-back chain, in order."
        )
        providers = chain ?? []
        endpoints = [:]
        for provider in Provider.allCases {
            guard let remote = provider.remote else { continue }
            // The model is required only in a process that calls the provider.
            let isAsked = (role == .dev || role == .worker) && providers.contains(provider)
            endpoints[provider.rawValue] = Endpoint(reader, provider.rawValue, remote, isAsked: isAsked)
        }
        connectTimeout = reader.value(
            "AI_CONNECT_TIMEOUT",
            .duration(),
            default: "5s",
            "For the connection, per provider attempt."
        )
        firstTokenTimeout = reader.value(
            "AI_FIRST_TOKEN_TIMEOUT",
            .duration(),
            default: "30s",
            "Until the first token, per provider attempt."
        )
        idleTimeout = reader.value(
            "AI_IDLE_TIMEOUT",
            .duration(),
            default: "30s",
            "Between two tokens, per provider attempt."
        )
        totalTimeout = reader.value(
            "AI_TOTAL_TIMEOUT",
            .duration(),
            default: "10m",
            "For the whole answer, per provider attempt."
        )
        maxRetries = reader.value(
            "AI_MAX_RETRIES",
            .integer(0...100),
            default: "2",
            "Further tries of one provider before its first token."
        )
        hedgeAfter = reader.value(
            "AI_HEDGE_AFTER",
            SettingFormat<Duration>.duration().orOff(),
            default: "off",
            "Silence after which the next provider is asked as well."
        )
        sendsTraceParent = reader.value(
            "AI_SEND_TRACEPARENT",
            .onOff,
            default: "off",
            "Whether remote providers are sent a `traceparent`. `tracestate` is sent to none."
        )
        breakerFailures = reader.value(
            "AI_BREAKER_FAILURES",
            .integer(1...1_000_000),
            default: "5",
            "Failures in a row that open a provider's breaker."
        )
        breakerOpen = reader.value("AI_BREAKER_OPEN", .duration(), default: "30s", "How long a breaker stays open.")
        maxConcurrency = reader.value(
            "AI_MAX_CONCURRENCY",
            .integer(1...1_000_000),
            default: SettingDefault("200", documented: "`200`; none for `local` and `mock`"),
            "Calls of one provider at once, per process."
        )
        limitsAllProviders = reader.isSet("AI_MAX_CONCURRENCY")
    }
}

extension Configuration.AI.Endpoint {
    fileprivate init(
        _ reader: SettingReader,
        _ name: String,
        _ remote: Configuration.AI.Provider.Remote,
        isAsked: Bool
    ) {
        let prefix = name.uppercased()
        baseURL = reader.value("\(prefix)_BASE_URL", .httpURL, default: remote.baseURL, remote.summary)
        apiKey = reader.optional("\(prefix)_API_KEY", .secret(), "Key of that server, where it wants one.")
        model = reader.optional(
            "\(prefix)_MODEL",
            .text,
            required: isAsked,
            documented: "required where `AI_PROVIDERS` names `\(name)`",
            "Model asked of that server."
        )
    }
}

extension Configuration.Mock {
    init(_ reader: SettingReader) {
        tokens = reader.optional(
            "MOCK_TOKENS",
            .integer(1...10_000_000),
            "Tokens to send; without it, the problem's words once through."
        )
        tokenDelay = reader.value(
            "MOCK_TOKEN_DELAY",
            .duration(from: .zero),
            default: "0ms",
            "Pause before each later token."
        )
        firstTokenDelay = reader.value(
            "MOCK_FIRST_TOKEN_DELAY",
            .duration(from: .zero),
            default: "0ms",
            "Pause before the first token."
        )
        content = reader.value(
            "MOCK_CONTENT",
            .choice,
            default: "echo",
            "`echo`: the problem's words, over and over; `conversation`: those of the earlier turns before them; "
                + "`timestamps`: the monotonic clock in nanoseconds."
        )
        script = reader.optional("MOCK_SCRIPT", .text, "File that makes the mock fail in named ways.")
    }
}

package import Telemetry

/// How a call of a provider ended.
package enum ProviderOutcome: String, Sendable, CaseIterable {
    case completed
    case timedOut = "timeout"
    case failed
    case busy
    case refused
    case rejected
    case cancelled
    /// Another provider answered first.
    case outrun

    /// Empty where nothing went wrong, which is the same as no label.
    var errorType: String { self == .completed ? "" : rawValue }
}

/// The calls of one provider: names and buckets are those of OpenTelemetry's semantic conventions for generative AI, where
/// these have one.
package struct ProviderMetrics: Sendable {
    private static let seconds: [Double] = [
        0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
    ]
    private static let tokens: [Double] = [
        1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864,
    ]

    private let calls: [ProviderOutcome: Histogram]
    /// From the start of a call to its first piece of text.
    package let firstChunkSeconds: Histogram
    /// From one piece of text to the next, the time left out in which we took none.
    package let chunkSeconds: Histogram
    private let inputTokens: Histogram
    private let outputTokens: Histogram
    private let reasoningTokens: Counter
    package let retries: Counter
    /// Retries without a part of the request that the provider refused.
    package let adaptations: Counter
    /// Calls begun because another provider was late.
    package let hedges: Counter
    /// Calls that were not made: the breaker is open, or too many are under way.
    package let turnedAway: Counter
    /// Calls under way, and how many there may be at once.
    package let active: Gauge
    package let limit: Gauge
    private let registry: MetricsRegistry
    private let provider: MetricsRegistry.Labels

    init(_ registry: MetricsRegistry, _ name: String, model: String) {
        self.registry = registry
        let provider: MetricsRegistry.Labels = ["provider": name]
        self.provider = provider
        let (operation, known) = (GenAINames.operation(name), GenAINames.provider(name))
        let genAI: MetricsRegistry.Labels = [
            "gen_ai_operation_name": operation, "gen_ai_provider_name": known, "gen_ai_request_model": model,
        ]
        func labels(_ label: String, _ value: String) -> MetricsRegistry.Labels {
            [
                "gen_ai_operation_name": operation, "gen_ai_provider_name": known, "gen_ai_request_model": model,
                label: value,
            ]
        }
        calls = Self.calls(registry, labels)
        firstChunkSeconds = registry.histogram(
            "lemma_gen_ai_client_operation_time_to_first_chunk_seconds",
            help: "Start of a call to its first text",
            labels: genAI,
            limits: Self.seconds,
        )
        chunkSeconds = registry.histogram(
            "lemma_gen_ai_client_operation_time_per_output_chunk_seconds",
            help: "One text of a call to the next",
            labels: genAI,
            limits: Self.seconds,
        )
        func tokens(_ kind: String) -> Histogram {
            registry.histogram(
                "lemma_gen_ai_client_token_usage_tokens",
                help: "Tokens of each call, told or estimated",
                labels: labels("gen_ai_token_type", kind),
                limits: Self.tokens,
            )
        }
        inputTokens = tokens("input")
        outputTokens = tokens("output")
        reasoningTokens = registry.counter(
            "lemma_provider_reasoning_tokens_total",
            help: "Tokens of the models' thinking, which are output tokens too",
            labels: provider,
        )
        retries = registry.counter("lemma_provider_retries_total", help: "Calls made again", labels: provider)
        adaptations = registry.counter(
            "lemma_provider_adaptations_total",
            help: "Calls made again without a part of the request that the provider refused",
            labels: provider,
        )
        hedges = registry.counter(
            "lemma_provider_hedges_total",
            help: "Calls begun because another provider was late",
            labels: provider,
        )
        turnedAway = registry.counter(
            "lemma_provider_turned_away_total",
            help: "Calls not made: the breaker is open, too many are under way, or the provider named a pause",
            labels: provider,
        )
        active = registry.gauge("lemma_provider_calls_active", help: "Calls under way", labels: provider)
        limit = registry.gauge("lemma_provider_calls_limit", help: "Calls that may be under way", labels: provider)
    }

    private static func calls(
        _ registry: MetricsRegistry,
        _ labels: (_ name: String, _ value: String) -> MetricsRegistry.Labels
    ) -> [ProviderOutcome: Histogram] {
        let calls = ProviderOutcome.allCases.map { outcome in
            let histogram = registry.histogram(
                "lemma_gen_ai_client_operation_duration_seconds",
                help: "Calls of providers, by how they ended",
                labels: labels("error_type", outcome.errorType),
                limits: seconds,
            )
            return (outcome, histogram)
        }
        return Dictionary(uniqueKeysWithValues: calls)
    }

    /// Counts a call that took so long; `exemplar` is the id of its trace.
    package func count(_ outcome: ProviderOutcome, after duration: Duration, exemplar: String? = nil) {
        calls[outcome]?.observe(duration, exemplar: exemplar)
    }

    /// Counts what a call used.
    ///
    /// `reasoning` is part of `output`; nothing is what a call used that did not come about.
    package func countTokens(input: Int, output: Int, reasoning: Int) {
        if input > 0 { inputTokens.observe(Double(input)) }
        if output > 0 { outputTokens.observe(Double(output)) }
        reasoningTokens.increment(by: reasoning)
    }

    /// The breaker, read at each scrape: 0 closed, 1 half-open, 2 open; once for each provider.
    package func observeBreaker(_ read: @escaping @Sendable () -> Double?) {
        registry.observeGauge(
            "lemma_provider_breaker_state",
            help: "State of the breaker: 0 closed, 1 half-open, 2 open",
            labels: provider,
            read,
        )
    }
}

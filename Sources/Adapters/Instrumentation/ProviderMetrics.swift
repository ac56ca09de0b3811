package import Telemetry

/// How a call of a provider ended.
package enum ProviderOutcome: String, Sendable, CaseIterable {
    case completed
    case timedOut = "timed_out"
    case failed
    case busy
    case refused
    case rejected
    case cancelled
    /// Another provider answered first.
    case outrun
    /// Not made: the breaker is open, or too many are under way.
    case turnedAway = "turned_away"
}

/// Kinds of tokens.
package enum TokenKind: String, Sendable, CaseIterable {
    case input
    case output
    /// Those of the thinking are among the output tokens too.
    case reasoning
}

/// The calls of one provider.
package struct ProviderMetrics: Sendable {
    package let calls: Counters<ProviderOutcome>
    package let retries: Counter
    /// Calls begun because another provider was late.
    package let hedges: Counter
    package let active: Gauge
    /// From the start of a call to its first token.
    package let firstTokenSeconds: Histogram
    package let tokens: Counters<TokenKind>
    private let registry: MetricsRegistry
    private let labels: MetricsRegistry.Labels

    init(_ registry: MetricsRegistry, _ name: String) {
        self.registry = registry
        labels = ["provider": name]
        calls = registry.counters(
            "lemma_provider_calls_total",
            help: "Calls of providers, by how they ended",
            labels: labels,
            by: "outcome",
        )
        retries = registry.counter("lemma_provider_retries_total", help: "Calls made again", labels: labels)
        hedges = registry.counter(
            "lemma_provider_hedges_total",
            help: "Calls begun because another provider was late",
            labels: labels,
        )
        active = registry.gauge("lemma_provider_calls_active", help: "Calls under way", labels: labels)
        firstTokenSeconds = registry.histogram(
            "lemma_provider_first_token_seconds",
            help: "Start of a call to its first token",
            labels: labels,
        )
        tokens = registry.counters(
            "lemma_provider_tokens_total",
            help: "Tokens of all calls, told or estimated; reasoning is part of output",
            labels: labels,
            by: "kind",
        )
    }

    /// The breaker, read at each scrape: 0 closed, 1 half-open, 2 open; once for each provider.
    package func observeBreaker(_ read: @escaping @Sendable () -> Double?) {
        registry.observeGauge(
            "lemma_provider_breaker_state",
            help: "State of the breaker: 0 closed, 1 half-open, 2 open",
            labels: labels,
            read,
        )
    }
}

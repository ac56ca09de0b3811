import Application
import Domain
import EventLoop
import Instrumentation
import Shared
import Telemetry
import TestSupport

@testable import Infrastructure

extension ManualClock: MonotonicClock {}

/// Keeps what a provider gives; a test may make it wait for room.
final class SinkRecorder: AnswerSink {
    var texts: [String] = []
    var reasoning: [String] = []
    /// When each text came.
    var times: [Duration] = []
    var account: ProviderAccount?
    /// Set while there is no room.
    var gate: OneShot<Void>?
    let clock: ManualClock

    init(_ clock: ManualClock) { self.clock = clock }

    func receive(_ kind: AnswerText, _ text: String) {
        switch kind {
        case .token: texts.append(text)
        case .reasoning: reasoning.append(text)
        }
        times.append(clock.now)
    }

    func take(_ account: ProviderAccount) { self.account = account }

    var hasRoom: Bool { gate == nil }

    func waitForRoom() async throws(CancellationError) { if let gate { try await gate.value() } }
}

/// A provider made of a closure.
struct ClosureClient: AIStreamingClient {
    typealias Body = (any AnswerSink) async throws(ProviderFailure) -> Void

    let identity: ProviderIdentity
    let body: Body

    init(_ name: String, _ body: @escaping Body) {
        identity = ProviderIdentity(name: name, model: "\(name)-1")
        self.body = body
    }

    func stream(_ request: ProviderRequest, into sink: any AnswerSink) async throws(ProviderFailure) -> FinishReason {
        try await body(sink)
        return .stop
    }
}

func providerRequest(_ text: String, maxOutputTokens: Int? = nil, for attempt: AttemptName? = nil) -> ProviderRequest {
    ProviderRequest(
        problem: MathProblem(stored: text),
        options: SolveOptions(maxOutputTokens.map { [.maxOutputTokens: .integer($0)] } ?? [:]),
        attempt: attempt,
    )
}

/// Always the same number, so that every jittered pause is half of its limit.
struct HalfRandom: RandomSource {
    func next() -> UInt64 { 1 << 63 }
}

/// A chain with everything around it made by the test.
final class ProviderBench {
    let loop: Loop
    let clock: ManualClock
    let sink: SinkRecorder
    let registry = MetricsRegistry()
    private lazy var metrics = LemmaMetrics(registry)
    var retriesMax = 0
    var hedgeAfter: Duration?
    var limits = CallLimits(firstToken: .seconds(3), idle: .seconds(2), total: .seconds(10))
    /// By name; made where a test has made none.
    private var gates: [String: ProviderGate] = [:]
    private(set) var calls: [String] = []

    init(_ loop: Loop, isAutomatic: Bool = false) {
        self.loop = loop
        clock = ManualClock(loop: loop, isAutomatic: isAutomatic)
        sink = SinkRecorder(clock)
    }

    /// A provider that notes its calls.
    func client(_ name: String, _ body: @escaping ClosureClient.Body) -> ClosureClient {
        ClosureClient(name) { [unowned self] sink throws(ProviderFailure) in
            calls.append(name)
            try await body(sink)
        }
    }

    func failing(_ name: String, after texts: [String] = [], _ failure: ProviderFailure = .broken) -> ClosureClient {
        client(name) { sink throws(ProviderFailure) in
            for text in texts { sink.receive(.token, text) }
            throw failure
        }
    }

    func good(_ name: String = "good") -> ClosureClient {
        client(name) { sink throws(ProviderFailure) in sink.receive(.token, name) }
    }

    /// Sends the texts, then nothing until it is cancelled.
    func silent(_ name: String, after texts: [String] = [], _ onCancel: @escaping () -> Void = {}) -> ClosureClient {
        client(name) { [loop] sink throws(ProviderFailure) in
            for text in texts { sink.receive(.token, text) }
            try? await OneShot<Void>(loop: loop).value()
            onCancel()
            throw .cancelled
        }
    }

    @discardableResult
    func gate(_ name: String, failuresMax: Int = 1000, callsMax: Int = 100) -> ProviderGate {
        if let gate = gates[name] { return gate }
        let gate = ProviderGate(
            name: name,
            limits: .init(
                failuresMax: failuresMax,
                openTime: .seconds(30),
                callsMax: callsMax,
                waitersMax: callsMax / 8
            ),
            metrics: metrics.provider(name, model: "m"),
            logger: Logger(
                output: LogOutput(descriptor: -1, service: "test", version: "0", level: .error, format: .json)
            ),
        )
        gates[name] = gate
        return gate
    }

    func chain(_ clients: any AIStreamingClient...) -> ProviderChain {
        let retries = RetryPolicy(retriesMax: retriesMax, backoff: Backoff(random: HalfRandom()))
        let providers = clients.map { client in
            GuardedProvider(
                client,
                gate: gate(client.identity.name),
                limits: limits,
                retries: retries,
                loop: loop,
                clock: clock,
            )
        }
        return ProviderChain(providers, hedgeAfter: hedgeAfter, loop: loop, clock: clock)
    }

    func solve(_ chain: ProviderChain, requested: String? = nil) async -> Result<String, AIFailure> {
        do throws(AIFailure) {
            return .success(
                try await chain.solve(providerRequest("x"), requested: requested, into: sink).account.provider.name
            )
        } catch {
            return .failure(error)
        }
    }

    /// Advances the clock in steps of 100 ms, with turns of the loop between them, until `condition` holds; returns how
    /// far.
    func pass(atMost limit: Duration = .seconds(60), until condition: () -> Bool) async throws -> Duration {
        let begin = clock.now
        while !condition() {
            guard clock.now - begin < limit else { throw NeverHappened(what: "within \(limit) of the test's clock") }
            try await turn(loop)
            if condition() { break }
            clock.advance(by: .milliseconds(100))
            try await turn(loop)
        }
        return clock.now - begin
    }

    /// How many calls of a provider ended so, and how many tokens of a kind all of them used, as a scraper sees it.
    func counted(_ provider: String, _ errorType: String) -> String? {
        metric("lemma_gen_ai_client_operation_duration_seconds_count" + labels(provider, "error_type", errorType))
    }
    func tokens(_ provider: String, _ kind: String) -> String? {
        metric("lemma_gen_ai_client_token_usage_tokens_sum" + labels(provider, "gen_ai_token_type", kind))
    }

    /// A histogram of a provider's times: its `count` or `sum`.
    func time(_ name: String, _ part: String, of provider: String) -> String? {
        metric("lemma_gen_ai_client_operation_\(name)_seconds_\(part){\(labels(provider))}")
    }

    private func labels(_ provider: String, _ label: String, _ value: String) -> String {
        #"{\#(labels(provider)),\#(label)="\#(value)"}"#
    }
    private func labels(_ provider: String) -> String {
        #"gen_ai_operation_name="chat",gen_ai_provider_name="\#(provider)",gen_ai_request_model="m""#
    }

    /// The value of a series as a scraper sees it.
    func metric(_ series: String) -> String? {
        registry.render().split(separator: "\n").first { $0.hasPrefix(series + " ") }
            .map { String($0.dropFirst(series.count + 1)) }
    }
}

extension ProviderFailure {
    static let broken = ProviderFailure.unavailable(detail: "broke off")
}

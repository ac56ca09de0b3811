import API
import Application
import Cryptography
import Domain
import EventLoop
import FoundationEssentials
import HTTPClient
import Infrastructure
import Instrumentation
import LemmaSettings
import Lifecycle
import LocalMath
import Persistence
import PostgresClient
import RedisClient
import Settings
import Shared
import Telemetry
import Tracing

/// The objects and settings that all services of one process share.
struct ReplicaDependencies: Sendable {
    /// In `--version`, logs and metrics.
    static let version = "1.2.0"

    let configuration: Configuration
    let loops: LoopGroup
    let logger: Logger
    let logLevel: LogLevelControl
    let metrics: LemmaMetrics
    let health: ProcessHealth
    let redis: RedisConfiguration
    /// The process's one pool of connections to PostgreSQL.
    let database: PostgresDatabase
    let secrets: [[UInt8]]
    let audit: JSONAuditLog
    let descriptors: DescriptorBudget
    let mockScript: MockScript
    /// One for each configured provider, in the configured order.
    let gates: [ProviderGate]
    /// Nil where tracing is off.
    let tracer: Tracer?
    /// What SIGHUP reads again.
    let reloads = Reloads()
    /// Counts requests with passwords while Redis cannot; nil without such a limit.
    let localCredentialRates: LocalRates?
    let clock = SystemClock()
    let random = SecureRandomSource()

    var keys: Keyspace { Keyspace(partitions: configuration.jobs.partitions) }
    var identifiers: IdentifierFactory { IdentifierFactory(clock: clock, random: random) }
    var archive: PostgresRequestArchive { PostgresRequestArchive(database, identifiers: identifiers) }
    var clients: ClientAddress { ClientAddress(trustedProxies: configuration.limits.trustedProxies) }
    var accessLog: AccessLog { AccessLog(logger, clients: clients) }
    var auditTrail: AuditTrail { AuditTrail(audit, clients: clients) }
    /// Counts that a listener pauses because there are no file descriptors left.
    var noteAcceptPause: @Sendable () -> Void {
        let metrics = metrics.replica
        return { metrics.acceptPauses.increment() }
    }
    var backoff: Backoff { Backoff(random: random) }

    /// The longest life of a stream: its keys expire after every attempt has used its whole time.
    var streamLifetime: Duration {
        configuration.stream.ttlLive + configuration.stream.ttlDone
            + configuration.calls.totalTimeout * configuration.jobs.maxAttempts
    }

    func redisObserver(_ kind: RedisConnectionKind) -> CountingRedisObserver {
        CountingRedisObserver(metrics.redis, kind, logger: logger)
    }

    /// An event bus for one loop, with metrics, log and audit log as listeners.
    func makeEventBus() -> LocalEventBus {
        let bus = LocalEventBus()
        metrics.subscribe(to: bus)
        DomainEventLog(logger: logger).subscribe(to: bus)
        DomainEventAudit(log: audit).subscribe(to: bus)
        return bus
    }

    /// A store with a connection of its own, for one loop; readiness includes it from now on.
    func store(on loop: Loop, _ bus: LocalEventBus) -> RedisStore {
        let store = RedisStore(
            redis,
            keys: keys,
            retention: Retention(configuration),
            on: loop,
            observer: CountingStoreObserver(metrics, logger: logger),
            connection: redisObserver(.commands),
            bus: bus,
        )
        health.watch(LoopBound(store, of: loop))
        return store
    }

    /// Limits requests with passwords by address and by account.
    func credentialLimits(_ store: RedisStore) -> any AddressAttempts & CredentialAttempts {
        guard let rate = configuration.limits.auth, let localCredentialRates else { return NoCredentialLimits() }
        return RedisCredentialLimits(store: store, rate: RequestRate(rate), local: localCredentialRates)
    }

    /// Erases accounts from PostgreSQL and from the store's Redis; `waitLimit` as ``EraseAccountHandler`` has it.
    func accountErasure(_ store: RedisStore, waitLimit: Duration) -> EraseAccountHandler {
        EraseAccountHandler(
            archive: PostgresArchiveErasure(database),
            queue: RedisQueueErasure(store: store),
            clock: LoopClock(loop: store.loop),
            // Two periods of the access watch, and the time of a request that was let in before.
            withdrawalTime: .milliseconds(1200),
            waitLimit: waitLimit,
        )
    }

    /// Cancels abandoned requests; on the first loop only, because one sweep per process is enough.
    func abandonmentSweep(_ store: RedisStore, on loop: Loop) -> AbandonmentSweep? {
        guard loop.index == 0 else { return nil }
        let sweep = AbandonmentSweep(store: store, grace: configuration.stream.disconnectGrace)
        sweep.start()
        return sweep
    }

    /// Reads the queue's statistics for the metrics; on the first loop only.
    func queueStatistics(_ store: RedisStore, on loop: Loop) -> QueueStatistics? {
        guard loop.index == 0 else { return nil }
        let statistics = QueueStatistics(store: store, metrics: metrics.queue, observer: health)
        statistics.start()
        return statistics
    }

    /// The configured providers, for one loop; `transport` is that loop's.
    func solver(on loop: Loop, _ transport: HTTPTransport) -> ProviderChain {
        let calls = configuration.calls
        let clock = LoopClock(loop: loop)
        let providers = zip(configuration.ai.providers, gates).map { provider, gate in
            GuardedProvider(
                client(provider, on: loop, transport, shape: gate.shape),
                gate: gate,
                limits: CallLimits(
                    firstToken: calls.firstTokenTimeout,
                    idle: calls.idleTimeout,
                    total: calls.totalTimeout
                ),
                retries: RetryPolicy(retriesMax: calls.maxRetries, backoff: backoff),
                loop: loop,
                clock: clock,
                tracing: tracing(of: provider),
            )
        }
        return ProviderChain(providers, hedgeAfter: calls.hedgeAfter, loop: loop, clock: clock)
    }

    private func tracing(of provider: Configuration.AI.Provider) -> CallTracing? {
        guard let tracer else { return nil }
        let url = configuration.ai.endpoints[provider.rawValue].flatMap { URL(string: $0.baseURL) }
        let port = url.flatMap { $0.port ?? ($0.scheme == "https" ? 443 : 80) }
        return CallTracing(tracer, host: url?.host(), port: port)
    }

    private func client(
        _ provider: Configuration.AI.Provider,
        on loop: Loop,
        _ transport: HTTPTransport,
        shape: RequestShape
    ) -> any AIStreamingClient {
        switch provider {
        case .local: return LocalClient(solver: LocalSolver(on: loop, limits: localLimits))
        case .mock: return MockClient(options: mockOptions, script: mockScript, clock: LoopClock(loop: loop))
        case _:
            let name = provider.rawValue
            guard let endpoint = configuration.ai.endpoints[name].map({ ProviderEndpoint($0) }),
                let dialect = RemoteProviders.dialect(name, endpoint)
            else { preconditionFailure("the provider \(name) has settings but no dialect") }
            return RemoteClient(
                dialect,
                transport: transport,
                connectTimeout: configuration.calls.connectTimeout,
                shape: shape,
                sendsTrace: configuration.calls.sendsTraceParent,
            )
        }
    }

    /// A job waits only shortly for the local provider where another one follows it; else half of the limit of the first
    /// token, so that the other half is left for solving.
    private var localLimits: LocalSolver.Limits {
        let firstToken = configuration.calls.firstTokenTimeout
        let waiting = configuration.ai.providers.last == .local ? firstToken / 2 : firstToken / 15
        return LocalSolver.Limits(waiting: waiting)
    }

    private var mockOptions: MockClient.Options {
        let mock = configuration.mock
        return MockClient.Options(
            tokens: mock.tokens,
            firstTokenDelay: mock.firstTokenDelay,
            tokenDelay: mock.tokenDelay,
            content: mockContent,
        )
    }

    private var mockContent: MockClient.Options.Content {
        switch configuration.mock.content {
        case .echo: .echo
        case .conversation: .conversation
        case .timestamps: .timestamps
        }
    }
}

extension Retention {
    /// One turn more than a context can have, which shows that there were earlier ones.
    init(_ configuration: Configuration) {
        self.init(
            live: configuration.stream.ttlLive,
            afterEnd: configuration.stream.ttlDone,
            turns: configuration.context.maxTurns + 1,
        )
        // A text that is longer by one character does not fit in a context.
        turnBytes = TokenUsage.utf8Bytes(ofTokens: configuration.context.maxTokens) + 4
        submissions = configuration.jobs.idempotencyTTL
        deadLetters = configuration.jobs.deadLettersMax
    }
}

extension LogLevel {
    /// The level that LOG_LEVEL names.
    init(_ configuration: Configuration) { self = LogLevel(rawValue: configuration.logging.level.rawValue) ?? .info }
}

extension ProviderEndpoint {
    /// Start-up has checked that there is a model.
    fileprivate init(_ endpoint: Configuration.AI.Endpoint) {
        self.init(baseURL: endpoint.baseURL, model: endpoint.model ?? "", apiKey: endpoint.apiKey?.reveal())
    }
}

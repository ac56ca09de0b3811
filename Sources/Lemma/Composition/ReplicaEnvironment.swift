import API
import Application
import Cryptography
import EventLoop
import Infrastructure
import Instrumentation
import LocalMath
import RedisClient
import Settings
import Shared
import Telemetry

/// What all services of one process share.
struct ReplicaEnvironment: Sendable {
    /// Told by `--version`, logs and metrics.
    static let version = "1.0.0"

    let configuration: Configuration
    let loops: LoopGroup
    let logger: Logger
    let metrics: LemmaMetrics
    let health: ProcessHealth
    let redis: RedisConfiguration
    let secrets: [[UInt8]]
    let mockScript: MockScript
    let clock = SystemClock()
    let random = SecureRandomSource()

    var keys: Keyspace { Keyspace(partitions: configuration.jobs.partitions) }
    var identifiers: IdentifierFactory { IdentifierFactory(clock: clock, random: random) }
    var backoff: Backoff { Backoff(random: random) }

    /// How long a stream can live at the longest: until its keys expire after every attempt took all its time.
    var streamLifetime: Duration {
        configuration.stream.ttlLive + configuration.stream.ttlDone
            + configuration.ai.totalTimeout * configuration.jobs.maxAttempts
    }

    /// A connection to Redis of its own, for one loop; readiness includes it from now on.
    func store(on loop: Loop) -> RedisStore {
        let store = RedisStore(redis, keys: keys, on: loop, observer: RedisMetrics(metrics, logger: logger))
        health.watch(LoopBound(store, of: loop))
        return store
    }

    /// Ends what nobody watches any more; on the first loop only, because one for each process is enough.
    func abandonmentSweep(_ store: RedisStore, on loop: Loop) -> AbandonmentSweep? {
        guard loop.index == 0 else { return nil }
        let sweep = AbandonmentSweep(
            store: store,
            grace: configuration.stream.disconnectGrace,
            timeToLiveAfterEnd: configuration.stream.ttlDone,
        ) { [logger] id in
            logger.info("request abandoned by its viewers", ["correlation_id": .string(id.description)])
        }
        sweep.start()
        return sweep
    }

    /// The configured providers, for one loop.
    func solver(on loop: Loop) -> ProviderChain {
        ProviderChain(
            clients: configuration.ai.providers.compactMap { client($0, on: loop) },
            limits: ProviderChain.Limits(
                firstToken: configuration.ai.firstTokenTimeout,
                idle: configuration.ai.idleTimeout,
                total: configuration.ai.totalTimeout,
            ),
            clock: LoopClock(loop: loop),
            tasks: LoopTasks(loop: loop),
        )
    }

    /// Nil for providers that are yet to come; start-up refuses them.
    private func client(_ provider: Configuration.AI.Provider, on loop: Loop) -> (any AIStreamingClient)? {
        switch provider {
        case .local: LocalClient(solver: LocalSolver(on: loop))
        case .mock: MockClient(options: mockOptions, script: mockScript, clock: LoopClock(loop: loop))
        case .openai, .gemini: nil
        }
    }

    private var mockOptions: MockClient.Options {
        let mock = configuration.mock
        return MockClient.Options(
            tokens: mock.tokens,
            firstTokenDelay: mock.firstTokenDelay,
            tokenDelay: mock.tokenDelay,
            content: mock.content == .echo ? .echo : .timestamps,
        )
    }
}

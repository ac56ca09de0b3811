import Application
import Cryptography
import Domain
import EventLoop
import HTTPClient
import Infrastructure
import Instrumentation
import LemmaSettings
import Lifecycle
import Shared
import Synchronization
import Telemetry
import Time
import Worker

/// The workers of one process, one on each loop.
final class WorkerService: Service {
    let name = "worker"
    private let dependencies: ReplicaDependencies
    private let graphs = Mutex<[LoopBound<WorkerGraph>]>([])

    init(_ dependencies: ReplicaDependencies) { self.dependencies = dependencies }

    var limits: ServiceLimits { ServiceLimits(drain: dependencies.configuration.drainGrace + .seconds(9)) }

    func run(started: @escaping @Sendable () -> Void) async throws {
        // A new name for each start: the jobs of the last start belong to a dead consumer.
        let replica = Base64URL.encode(SecureRandom.bytes(6))
        let loops = dependencies.loops.loops
        let slots = dependencies.configuration.jobs.concurrency
        dependencies.metrics.work.slots.set(slots)
        dependencies.metrics.work.leaseSeconds.set(dependencies.configuration.jobs.lease.inSeconds)
        var made: [LoopBound<WorkerGraph>] = []
        for loop in loops {
            let share = slots / loops.count + (loop.index < slots % loops.count ? 1 : 0)
            guard share > 0 else { continue }
            made.append(
                try await loop.run { [dependencies] loop in
                    let consumer = "\(replica)-\(loop.index)"
                    let graph = WorkerGraph(dependencies, consumer: consumer, slots: share, on: loop)
                    graph.runner.start()
                    return LoopBound(graph, of: loop)
                }
            )
        }
        let graphs = made
        self.graphs.withLock { $0 = graphs }
        dependencies.logger.info("receiving jobs", ["consumer": .string(replica), "slots": .int(slots)])
        started()
        await untilCancelled()
        try await Task {
            for graph in graphs { try await graph.loop.run { _ in graph.onLoop.close() } }
        }.value
        throw CancellationError()
    }

    /// Stops the intake, waits for running jobs up to the grace, and releases the rest to other replicas.
    func drain() async {
        let grace = dependencies.configuration.drainGrace
        await withTaskGroup { group in
            for graph in graphs.withLock({ $0 }) {
                group.addTask {
                    try? await graph.loop.run { _ in await graph.onLoop.runner.drain(within: grace) }
                }
            }
        }
    }
}

/// One loop's worker.
final class WorkerGraph {
    let runner: JobRunner
    private let store: RedisStore
    private let consumer: RedisMessageConsumer
    private let control: RedisControlChannel
    private let sweep: AbandonmentSweep?
    private let conversationQueues: ConversationQueueSweep?
    private let orphans: OrphanSweep?
    private let statistics: QueueStatistics?
    private let transport: HTTPTransport

    init(_ dependencies: ReplicaDependencies, consumer name: String, slots: Int, on loop: Loop) {
        let configuration = dependencies.configuration
        let metrics = dependencies.metrics
        let logger = dependencies.logger
        let bus = dependencies.makeEventBus()
        store = dependencies.store(on: loop, bus)
        transport = HTTPTransport(on: loop)
        consumer = RedisMessageConsumer(
            store: store,
            consumer: name,
            terms: RedisMessageConsumer.Terms(
                lease: configuration.jobs.lease,
                attemptsMax: configuration.jobs.maxAttempts,
            ),
            observer: CountingJobEntryObserver(metrics.work, logger: logger),
            connection: dependencies.redisObserver(.waiting),
        )
        let solver = dependencies.solver(on: loop, transport)
        let handler = Self.handler(dependencies, store, consumer, solver, bus)
        let runner = JobRunner(
            loop: loop,
            consumer: consumer,
            membership: consumer,
            handler: handler,
            options: JobRunner.Options(slots: slots, lease: configuration.jobs.lease),
            backoff: dependencies.backoff,
            metrics: metrics.work,
            logger: logger,
        )
        self.runner = runner
        control = RedisControlChannel(
            store: store,
            observer: dependencies.redisObserver(.pushes),
        ) { [weak runner] in runner?.cancel($0, $1) }
        sweep = dependencies.abandonmentSweep(store, on: loop)
        conversationQueues = loop.index == 0 ? ConversationQueueSweep(store: store) : nil
        conversationQueues?.start()
        orphans =
            loop.index > 0
            ? nil
            : OrphanSweep(
                store: store,
                consumer: consumer,
                lease: configuration.jobs.lease,
                choice: solver.firstChoice(requested: nil),
            )
        orphans?.start()
        statistics = dependencies.queueStatistics(store, on: loop)
    }

    private static func handler(
        _ dependencies: ReplicaDependencies,
        _ store: RedisStore,
        _ consumer: RedisMessageConsumer,
        _ solver: any MathSolver,
        _ bus: any EventBus
    ) -> RunMathRequestHandler {
        let configuration = dependencies.configuration
        return RunMathRequestHandler(
            consumer: consumer,
            answers: RedisAnswerLogWriter(
                store: store,
                backoff: dependencies.backoff,
                appends: dependencies.metrics.work.appendTokens,
            ),
            solver: solver,
            contexts: ContextReader(
                memory: RedisConversations(store: store),
                archive: dependencies.archive,
                window: ContextWindow(
                    turnsMax: configuration.context.maxTurns,
                    tokensMax: configuration.context.maxTokens,
                ),
                clock: LoopClock(loop: store.loop),
            ),
            dependencies: AttemptDependencies(
                clock: LoopClock(loop: store.loop),
                tasks: LoopLocalTasks(loop: store.loop),
                backoff: dependencies.backoff,
                traces: AttemptTracer(dependencies.tracer),
            ),
            bus: bus,
        )
    }

    func close() {
        sweep?.close()
        conversationQueues?.close()
        orphans?.close()
        statistics?.close()
        runner.close()
        transport.close()
        control.close()
        consumer.close()
        store.close()
    }
}

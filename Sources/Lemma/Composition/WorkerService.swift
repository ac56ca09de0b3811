import Application
import Cryptography
import Domain
import EventLoop
import HTTPClient
import Infrastructure
import Instrumentation
import Lifecycle
import Settings
import Shared
import Synchronization
import Telemetry
import Worker

/// The workers of one process, one on each loop.
final class WorkerService: Service {
    let name = "worker"
    private let environment: ReplicaEnvironment
    private let graphs = Mutex<[LoopBound<WorkerGraph>]>([])

    init(_ environment: ReplicaEnvironment) { self.environment = environment }

    var limits: ServiceLimits { ServiceLimits(drain: environment.configuration.drainGrace + .seconds(9)) }

    func run(started: @escaping @Sendable () -> Void) async throws {
        // A name of its own for each start: what the last one left behind belongs to the dead.
        let replica = Base64URL.encode(SecureRandom.bytes(6))
        let loops = environment.loops.loops
        let slots = environment.configuration.jobs.concurrency
        environment.metrics.work.slots.set(slots)
        environment.metrics.work.leaseSeconds.set(environment.configuration.jobs.lease / .seconds(1))
        var made: [LoopBound<WorkerGraph>] = []
        for loop in loops {
            let share = slots / loops.count + (loop.index < slots % loops.count ? 1 : 0)
            guard share > 0 else { continue }
            made.append(
                try await loop.run { [environment] loop in
                    let consumer = "\(replica)-\(loop.index)"
                    let graph = WorkerGraph(environment, consumer: consumer, slots: share, on: loop)
                    graph.runner.start()
                    return LoopBound(graph, of: loop)
                }
            )
        }
        let graphs = made
        self.graphs.withLock { $0 = graphs }
        environment.logger.info("taking jobs", ["consumer": .string(replica), "slots": .int(slots)])
        started()
        await untilCancelled()
        try await Task {
            for graph in graphs { try await graph.loop.run { _ in graph.onLoop.close() } }
        }.value
        throw CancellationError()
    }

    /// Takes no more jobs, waits for the running ones up to the grace, and hands the rest to the other replicas.
    func drain() async {
        let grace = environment.configuration.drainGrace
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
    private let answers: RedisAnswerStream
    private let control: RedisControlChannel
    private let sweep: AbandonmentSweep?
    private let lines: ConversationQueueSweep?
    private let unqueued: OrphanSweep?
    private let survey: QueueStatistics?
    private let transport: HTTPTransport

    init(_ environment: ReplicaEnvironment, consumer name: String, slots: Int, on loop: Loop) {
        let configuration = environment.configuration
        let metrics = environment.metrics
        let logger = environment.logger
        store = environment.store(on: loop)
        transport = HTTPTransport(on: loop)
        answers = RedisAnswerStream(
            store: store,
            subscribing: environment.redis,
            backoff: environment.backoff,
            observer: environment.redisObserver(.pushes),
            appends: metrics.work.appendTokens,
        )
        consumer = RedisMessageConsumer(
            store: store,
            waiting: environment.redis,
            consumer: name,
            terms: RedisMessageConsumer.Terms(
                lease: configuration.jobs.lease,
                attemptsMax: configuration.jobs.maxAttempts,
            ),
            observer: environment.redisObserver(.waiting),
        )
        consumer.onMalformedJob = {
            metrics.work.refused[.malformed].increment()
            metrics.work.deadLetters[.malformed].increment()
            logger.error("malformed job put aside", ["entry": .string($0)])
        }
        consumer.onLaterVersion = { metrics.work.refused[.laterVersion].increment() }
        let bus = LocalEventBus()
        metrics.observe(bus)
        bus.subscribe(to: MathRequestFinished.self) { logger.note($0) }
        let solver = environment.solver(on: loop, transport)
        let handler = RunMathRequestHandler(
            consumer: consumer,
            answers: answers,
            solver: solver,
            contexts: ContextReader(
                memory: RedisConversations(store: store),
                archive: environment.archive,
                window: ContextWindow(
                    turnsMax: configuration.context.maxTurns,
                    tokensMax: configuration.context.maxTokens,
                ),
                clock: LoopClock(loop: loop),
            ),
            environment: WorkEnvironment(
                clock: LoopClock(loop: loop),
                tasks: LoopTasks(loop: loop),
                backoff: environment.backoff,
                traces: AttemptTracer(environment.tracer),
            ),
            bus: bus,
        )
        let runner = JobRunner(
            loop: loop,
            consumer: consumer,
            membership: consumer,
            handler: handler,
            options: JobRunner.Options(slots: slots, lease: configuration.jobs.lease),
            backoff: environment.backoff,
            metrics: metrics.work,
            logger: logger,
        )
        self.runner = runner
        control = RedisControlChannel(
            environment.redis,
            keys: environment.keys,
            on: loop,
            observer: environment.redisObserver(.pushes),
        ) { [weak runner] in runner?.cancel($0, $1) }
        sweep = environment.abandonmentSweep(store, on: loop)
        lines = loop.index == 0 ? ConversationQueueSweep(store: store) : nil
        lines?.start()
        unqueued =
            loop.index > 0
            ? nil
            : OrphanSweep(
                store: store,
                consumer: consumer,
                lease: configuration.jobs.lease,
                choice: solver.firstChoice(requested: nil),
            ) { id in
                logger.warning("request without a job ended", ["correlation_id": .string(id.description)])
            }
        unqueued?.start()
        survey = environment.queueSurvey(store, on: loop)
    }

    func close() {
        sweep?.close()
        lines?.close()
        unqueued?.close()
        survey?.close()
        runner.close()
        transport.close()
        control.close()
        consumer.close()
        answers.close()
        store.close()
    }
}

import API
import Application
import ArchiveSupport
import Domain
import EventLoop
import FoundationEssentials
import HTTPServer
import Infrastructure
import Instrumentation
import RedisClient
import Shared
import Telemetry
import TestSupport
import Worker

/// What differs between two tests' servers.
struct APIOptions: Sendable {
    var isAuthenticationRequired = false
    var queueMaxDepth = 1000
    var corsOrigins: [String] = []
    /// Of anonymous: per address.
    var limits = SubmissionLimits()
    var assets = WebAssets.none
    /// Runs a worker beside the API.
    var hasWorker = false
    var mock = MockClient.Options(tokens: nil, firstTokenDelay: .zero, tokenDelay: .zero, content: .echo)
    var script = ""
}

/// Lemma's public listener on a real Redis, with a worker on the same loop where a test needs one.
struct APIBench: Sendable {
    let redis: RedisServer
    let listener: HTTPListener
    let tokens: SignedTicketService
    /// The accounts, which no access token of this bench's authenticator proves.
    let accounts: AccountBench
    let loop: Loop
    fileprivate let graph: LoopBound<APIGraph>

    /// The metrics as a scraper reads them.
    func metrics() async throws -> String {
        try await loop.run { [graph] _ in graph.onLoop.metrics.registry.render() }
    }

    /// The value of a metric's series; 0 where there is none.
    func metric(_ series: String) async throws -> Int {
        let text = try await metrics()
        let line = text.split(separator: "\n").first { $0.hasPrefix(series + " ") }
        return line.flatMap { Double($0.dropFirst(series.count + 1)) }.map { Int($0) } ?? 0
    }

    /// Ends every stream, as a draining replica does.
    func endStreams() async throws {
        try await loop.run { [graph] _ in graph.onLoop.streams.endAll() }
    }

    /// The channels that Redis publishes to the API for `id`, by their kind.
    func channels(of id: String) throws -> [String] {
        let reply = LoopbackSocket.ask(port: redis.port, "PUBSUB SHARDCHANNELS\r\n") ?? ""
        let names = reply.split(whereSeparator: \.isNewline).filter { $0.hasSuffix(id) }
        return names.map { $0.dropLast(id.count + 1).split(separator: ":").last.map(String.init) ?? "" }.sorted()
    }

    /// Adds entries to the archive, as a persister does.
    func add(_ entries: [ArchiveEntry]) async throws {
        try await loop.run { [graph] _ in _ = try await graph.onLoop.archive.add(entries) }
    }

    /// Makes the archive unavailable, or available again.
    func setArchiveAway(_ isAway: Bool) async throws {
        try await loop.run { [graph] _ in graph.onLoop.archive.isAway = isAway }
    }

    /// Sends one request on a connection of its own; `headers` are lines.
    func send(
        _ method: String,
        _ target: String,
        _ headers: [String] = [],
        body: String? = nil
    ) throws -> RawResponse {
        let client = try client(method, target, headers, body: body)
        return try client.readResponse(hasBody: method != "HEAD")
    }

    /// Sends one request; the caller reads the response.
    func client(
        _ method: String,
        _ target: String,
        _ headers: [String] = [],
        body: String? = nil
    ) throws -> RawClient {
        let client = try RawClient(port: listener.port)
        var lines = ["\(method) \(target) HTTP/1.1", "Host: localhost"] + headers
        if let body { lines.append("Content-Length: \(body.utf8.count)") }
        client.send(lines.joined(separator: "\r\n") + "\r\n\r\n" + (body ?? ""))
        return client
    }

    /// Submits a problem as JSON.
    func solve(_ body: String, _ headers: [String] = []) throws -> RawResponse {
        try send("POST", "/api/math/solve", ["Content-Type: application/json"] + headers, body: body)
    }

    /// Submits a problem, which must be accepted, and returns its id.
    func accepted(_ problem: String = "1+1") throws -> String {
        let response = try solve(#"{"problem":"\#(problem)"}"#)
        guard response.status == 202, let id = response["x-correlation-id"] else {
            throw NeverHappened(what: "an accepted problem: \(response)")
        }
        return id
    }

    /// Reads an event stream to its end, as frames without their blank line; `retry:` lines are frames of their own.
    func stream(_ target: String, _ headers: [String] = []) throws -> (head: RawResponse, frames: [String]) {
        let response = try send("GET", target, headers)
        return (response, response.body.split(separator: "\n\n").flatMap(Self.frames))
    }

    private static func frames(_ block: Substring) -> [String] {
        let lines = block.split(separator: "\n")
        let hints = lines.prefix { $0.hasPrefix("retry: ") }
        let event = lines.dropFirst(hints.count).joined(separator: "\n")
        return hints.map(String.init) + (event.isEmpty ? [] : [event])
    }
}

/// The objects of one loop, as the composition root makes them.
private final class APIGraph {
    let handler: RequestPipeline
    private let store: RedisStore
    private let pushes: RedisPushes
    let streams: StreamRegistry
    private var consumer: RedisMessageConsumer?
    private var control: RedisControlChannel?
    private var runner: JobRunner?
    let archive: InMemoryArchive
    let metrics = LemmaMetrics(MetricsRegistry())

    init(
        _ redis: RedisConfiguration,
        _ options: APIOptions,
        _ tokens: SignedTicketService,
        _ accounts: AccountBench,
        on loop: Loop
    ) throws {
        let keys = Keyspace(partitions: 1)
        let backoff = Backoff(base: .milliseconds(20), cap: .milliseconds(50), random: SecureRandomSource())
        let identifiers = IdentifierFactory(clock: SystemClock(), random: SecureRandomSource())
        archive = InMemoryArchive(identifiers: identifiers)
        let bus = LocalEventBus()
        metrics.subscribe(to: bus)
        let retention = Retention(live: .seconds(600), afterEnd: .seconds(60), turns: 21)
        store = RedisStore(redis, keys: keys, retention: retention, on: loop, connection: nil, bus: bus)
        pushes = RedisPushes(store: store, backoff: backoff)
        streams = StreamRegistry(
            loop: loop,
            heartbeat: .seconds(15),
            bufferBytesMax: 262_144,
            metrics: metrics.streams,
            withdrawn: accounts.withdrawn,
        )
        let requests = RedisRequestRepository(store: store)
        let catchUp = ArchiveCatchUp(notices: pushes.archiveNotices, clock: LoopClock(loop: loop))
        let authenticator = BenchServices.authenticator(tokens, options, accounts, identifiers, metrics, on: loop)
        let accessLog = AccessLog(.disabled, clients: ClientAddress(trustedProxies: []))
        handler = RequestPipeline(
            publicAPI: APIServices(
                solve: BenchServices.solve(options, store, archive, identifiers, bus),
                read: ReadMathRequestHandler(requests: requests, archive: archive),
                watch: WatchAnswerHandler(requests: requests, archive: archive),
                cancel: CancelMathRequestHandler(
                    requests: requests,
                    archive: archive,
                    ends: pushes.ends,
                    clock: LoopClock(loop: loop),
                ),
                conversations: BenchServices.conversations(archive, store, requests, catchUp, identifiers),
                accounts: accounts.services,
                answers: pushes.answers,
                ends: pushes.ends,
                tokens: tokens,
                ticketLifetime: .seconds(600),
                audit: AuditTrail(accounts.audit, clients: ClientAddress(trustedProxies: [])),
                streams: streams,
                assets: options.assets,
                metrics: metrics,
                tracer: nil,
            ),
            loop: loop,
            authenticator: authenticator,
            limiter: NoLimits(),
            corsOrigins: options.corsOrigins,
            observer: RequestObserver(
                identifiers: identifiers,
                metrics: metrics.http,
                accessLog: accessLog,
                tracer: nil,
            ),
        )
        if options.hasWorker { try startWorker(redis, options, keys, backoff, metrics, on: loop) }
    }

    private func startWorker(
        _ redis: RedisConfiguration,
        _ options: APIOptions,
        _ keys: Keyspace,
        _ backoff: Backoff,
        _ metrics: LemmaMetrics,
        on loop: Loop
    ) throws {
        let terms = RedisMessageConsumer.Terms(lease: .seconds(30), attemptsMax: 3)
        let consumer = RedisMessageConsumer(store: store, consumer: "test", terms: terms)
        let clock = LoopClock(loop: loop)
        let mock = MockClient(options: options.mock, script: try MockScript(options.script), clock: clock)
        let output = LogOutput(descriptor: -1, service: "test", version: "0", level: .error, format: .json)
        let provider = GuardedProvider(
            mock,
            gate: ProviderGate(
                name: "mock",
                limits: .init(failuresMax: 1000, openTime: .seconds(30), callsMax: 1000, waitersMax: 0),
                metrics: metrics.provider("mock", model: "mock-1"),
                logger: Logger(output: output),
            ),
            limits: CallLimits(firstToken: .seconds(30), idle: .seconds(30), total: .seconds(60)),
            retries: RetryPolicy(retriesMax: 0, backoff: backoff),
            loop: loop,
            clock: clock,
        )
        let handler = RunMathRequestHandler(
            consumer: consumer,
            answers: RedisAnswerLogWriter(store: store, backoff: backoff),
            solver: ProviderChain([provider], hedgeAfter: nil, loop: loop, clock: clock),
            contexts: ContextReader(
                memory: RedisConversations(store: store),
                archive: archive,
                window: ContextWindow(turnsMax: 20, tokensMax: 8000),
                clock: clock,
            ),
            dependencies: AttemptDependencies(
                clock: clock,
                tasks: LoopLocalTasks(loop: loop),
                backoff: backoff,
                traces: AttemptTracer(nil),
            ),
            bus: LocalEventBus(),
        )
        let runner = JobRunner(
            loop: loop,
            consumer: consumer,
            membership: consumer,
            handler: handler,
            options: .init(slots: 16, lease: .seconds(30)),
            backoff: backoff,
            metrics: metrics.work,
            logger: Logger(output: output),
        )
        runner.start()
        self.consumer = consumer
        self.runner = runner
        control = RedisControlChannel(store: store) { [weak runner] in runner?.cancel($0, $1) }
    }

    func close() {
        runner?.close()
        control?.close()
        consumer?.close()
        streams.close()
        pushes.close()
        store.close()
    }
}

/// Runs `body` beside a server of its own.
func withAPI(
    _ options: APIOptions = APIOptions(),
    _ body: @escaping @Sendable (APIBench) async throws -> Void
) async throws {
    try await RedisServer.running { redis in
        let group = LoopGroup(count: 1)
        defer { group.stop() }
        let loop = group.loops[0]
        let tokens = SignedTicketService(
            secrets: [Array("a secret of thirty-two bytes at least".utf8)],
            lifetime: .seconds(600),
            clock: SystemClock(),
        )
        var configuration = try RedisConfiguration(url: RedisURL(redis.url))
        configuration.waitLimit = .milliseconds(200)
        let settings = configuration
        let accounts = AccountBench()
        let graph = try await loop.run { loop in
            LoopBound(try APIGraph(settings, options, tokens, accounts, on: loop), of: loop)
        }
        var serverOptions = HTTPServerOptions()
        serverOptions.renderError = { [options] in
            APIProblem.refusal(
                status: $0,
                detail: $1,
                request: $2,
                requestID: "made-here",
                origins: options.corsOrigins,
            )
        }
        let listener = try await HTTPListener.start(
            host: "127.0.0.1",
            port: 0,
            on: [loop],
            options: serverOptions,
        ) { _ in graph.onLoop.handler }
        let bench = APIBench(
            redis: redis,
            listener: listener,
            tokens: tokens,
            accounts: accounts,
            loop: loop,
            graph: graph
        )
        // On a thread of its own: the client's reads block.
        let result: Result<Void, any Error>
        do {
            result = .success(try await onThread { try await body(bench) })
        } catch {
            result = .failure(error)
        }
        try await listener.closeAll()
        try await loop.run { _ in graph.onLoop.close() }
        try result.get()
    }
}

/// A problem document as a client reads it.
struct ProblemDocument: Decodable, Equatable {
    struct FieldError: Decodable, Equatable {
        let field: String
        let message: String
    }

    let type: String
    let title: String
    let status: Int
    let detail: String
    let instance: String
    let requestId: String
    let correlationId: String?
    let errors: [FieldError]?

    init(_ response: RawResponse) throws {
        self = try JSONDecoder().decode(ProblemDocument.self, from: Data(response.body.utf8))
    }
}

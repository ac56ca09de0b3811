import API
import Application
import Cryptography
import EventLoop
import HTTPServer
import Infrastructure
internal import Instrumentation
internal import LemmaSettings
import Lifecycle
import Persistence
import Settings
import Shared
import Synchronization
import Telemetry

/// The public listener and its handlers on each loop.
final class APIService: Service {
    private static let pollPeriod = Duration.milliseconds(50)
    private static let closeLimit = Duration.seconds(2)

    let name = "api"
    private let dependencies: ReplicaDependencies
    private let access: AccessService
    private let announce: @Sendable (Int) -> Void
    private let running = Mutex<Running?>(nil)

    private struct Running {
        var listener: HTTPListener
        var graphs: [LoopBound<APIGraph>]
    }

    init(_ dependencies: ReplicaDependencies, access: AccessService, announce: @escaping @Sendable (Int) -> Void) {
        self.dependencies = dependencies
        self.access = access
        self.announce = announce
    }

    var limits: ServiceLimits {
        ServiceLimits(drain: dependencies.configuration.drainGrace + Self.closeLimit + .seconds(1))
    }

    func run(started: @escaping @Sendable () -> Void) async throws {
        let assets = try WebAssets.installed()
        var graphs: [LoopBound<APIGraph>] = []
        for loop in dependencies.loops.loops {
            graphs.append(
                try await loop.run { [dependencies, access] loop in
                    LoopBound(APIGraph(dependencies, access, assets: assets, on: loop), of: loop)
                }
            )
        }
        let made = graphs
        let configuration = dependencies.configuration
        let listener = try await HTTPListener.start(
            host: .init("HTTP_HOST", configuration.http.host),
            port: .init("HTTP_PORT", configuration.http.port),
            on: dependencies.loops.loops,
            options: try options(configuration),
            metrics: CountingHTTPMetrics(dependencies.metrics.http),
        ) { loop in made[loop.index].onLoop.handler }
        running.withLock { $0 = Running(listener: listener, graphs: made) }
        dependencies.logger.info("serving", ["port": .int(listener.port)])
        announce(listener.port)
        started()
        await untilCancelled()
        try await close()
        throw CancellationError()
    }

    private func options(_ configuration: Configuration) throws -> HTTPServerOptions {
        var options = HTTPServerOptions()
        options.connectionsMax = dependencies.descriptors.publicConnectionsMax
        options.acceptingPaused = dependencies.noteAcceptPause
        dependencies.metrics.http.connectionsMax.set(options.connectionsMax)
        let (identifiers, accessLog) = (dependencies.identifiers, dependencies.accessLog)
        let origins = configuration.limits.corsOrigins
        options.renderError = { status, detail, request in
            let made = identifiers.make(CorrelationID.self).description
            let id = request.requestID.flatMap { $0.utf8.count <= 128 ? $0 : nil } ?? made
            accessLog.noteRefusal(status: status, detail: detail, requestID: id)
            return APIProblem.refusal(status: status, detail: detail, request: request, requestID: id, origins: origins)
        }
        options.addressConnectionsMax = configuration.limits.addressMaxConnections
        let proxies = configuration.limits.trustedProxies
        options.isExemptFromAddressLimit = { address in proxies.contains { $0.contains(address) } }
        if let certificate = configuration.http.tlsCertificate, let key = configuration.http.tlsKey {
            options.makeFilter = try makeFilter(.init(certificateFile: certificate, keyFile: key))
            // RFC 6797: browsers use nothing but TLS from now on.
            options.responseFields.append("Strict-Transport-Security", "max-age=31536000")
        }
        return options
    }

    /// The security layer of each connection, by the certificate that was read last.
    private func makeFilter(_ identity: TLSContext.Identity) throws -> @Sendable () throws -> any StreamFilter {
        let certificate = try ServerCertificate(identity)
        let (reloads, logger) = (dependencies.metrics.http.certificateReloads, dependencies.logger)
        dependencies.reloads.add {
            do throws(TLSError) {
                try certificate.reload()
                reloads[.loaded].increment()
                logger.info("certificate read again")
            } catch {
                reloads[.failed].increment()
                logger.error("certificate not read again, the one from before stays", ["error": .string(error.reason)])
            }
        }
        return { try certificate.makeFilter() }
    }

    /// Serves everything as before until nothing is in flight or the grace is over.
    ///
    /// Then the listener closes, each stream ends between two events, each wait for an end is answered with the state
    /// of that moment, and all other requests are answered within the rest of the grace.
    func drain() async {
        guard let running = running.withLock({ $0 }) else { return }
        let end = ContinuousClock.now + dependencies.configuration.drainGrace
        while ContinuousClock.now < end, (try? await running.listener.inFlight().total) ?? 0 > 0 {
            try? await dependencies.loops.loops[0].run { loop in try await loop.sleep(for: Self.pollPeriod) }
        }
        try? await running.listener.stopAccepting()
        for graph in running.graphs {
            try? await graph.loop.run { _ in graph.onLoop.streams.endAll() }
        }
        let rest = end - ContinuousClock.now
        let left = (try? await running.listener.drain(within: Self.closeLimit, answersWithin: rest)) ?? 0
        dependencies.logger.info("drained", ["connections": .int(left)])
    }

    private func close() async throws {
        guard let running = running.withLock({ $0 }) else { return }
        // In a task of its own: this one is cancelled, and cancelled work on a loop ends at once.
        try await Task {
            try await running.listener.closeAll()
            for graph in running.graphs { try await graph.loop.run { _ in graph.onLoop.close() } }
        }.value
    }
}

/// The objects that serve the public listener on one loop.
final class APIGraph {
    let handler: RequestPipeline
    let streams: StreamRegistry
    private let store: RedisStore
    private let pushes: RedisPushes
    private let sweep: AbandonmentSweep?
    private let statistics: QueueStatistics?

    init(_ dependencies: ReplicaDependencies, _ access: AccessService, assets: WebAssets, on loop: Loop) {
        let configuration = dependencies.configuration
        let metrics = dependencies.metrics
        let bus = dependencies.makeEventBus()
        store = dependencies.store(on: loop, bus)
        pushes = Self.pushes(dependencies, store)
        sweep = dependencies.abandonmentSweep(store, on: loop)
        statistics = dependencies.queueStatistics(store, on: loop)
        streams = StreamRegistry(
            loop: loop,
            heartbeat: configuration.stream.heartbeat,
            bufferBytesMax: configuration.stream.bufferBytesMax,
            metrics: metrics.streams,
            withdrawn: access.withdrawn,
        )
        let requests = RedisRequestRepository(store: store)
        let tokens = SignedTicketService(
            secrets: dependencies.secrets,
            lifetime: dependencies.streamLifetime,
            clock: dependencies.clock,
        )
        handler = RequestPipeline(
            publicAPI: APIServices(
                solve: Self.solve(dependencies, store, bus),
                read: ReadMathRequestHandler(requests: requests, archive: dependencies.archive),
                watch: WatchAnswerHandler(requests: requests, archive: dependencies.archive),
                cancel: CancelMathRequestHandler(
                    requests: requests,
                    archive: dependencies.archive,
                    ends: pushes.ends,
                    clock: LoopClock(loop: loop),
                ),
                conversations: Self.conversations(dependencies, store, requests, pushes.archiveNotices),
                accounts: AccountServices(AccountPorts(access, dependencies, store), dependencies, store),
                answers: pushes.answers,
                ends: pushes.ends,
                tokens: tokens,
                ticketLifetime: dependencies.streamLifetime,
                audit: dependencies.auditTrail,
                streams: streams,
                assets: assets,
                metrics: metrics,
                tracer: dependencies.tracer,
                clients: dependencies.clients,
            ),
            loop: loop,
            authenticator: access.authenticator(tickets: tokens),
            limiter: Self.limiter(dependencies, store),
            corsOrigins: configuration.limits.corsOrigins,
            observer: Self.observer(dependencies),
        )
    }

    private static func observer(_ dependencies: ReplicaDependencies) -> RequestObserver {
        RequestObserver(
            identifiers: dependencies.identifiers,
            metrics: dependencies.metrics.http,
            accessLog: dependencies.accessLog,
            tracer: dependencies.tracer,
        )
    }

    private static func pushes(_ dependencies: ReplicaDependencies, _ store: RedisStore) -> RedisPushes {
        let stream = dependencies.configuration.stream
        return RedisPushes(
            store: store,
            backoff: dependencies.backoff,
            presence: ViewerPresence(
                store: store,
                watcher: Base64URL.encode(SecureRandom.bytes(9)),
                grace: stream.disconnectGrace,
                timeToLive: stream.ttlLive,
            ),
            observer: dependencies.redisObserver(.pushes),
        )
    }

    private static func solve(
        _ dependencies: ReplicaDependencies,
        _ store: RedisStore,
        _ bus: any EventBus
    ) -> SolveMathProblemHandler {
        let configuration = dependencies.configuration
        return SolveMathProblemHandler(
            validator: SolveMathProblemValidator(providerNames: configuration.ai.providers.map(\.rawValue)),
            estimate: SubmissionEstimate(contextTokensMax: configuration.context.maxTokens),
            admission: RedisSubmissionAdmission(store: store, limits: SubmissionLimits(configuration)),
            publisher: RedisMessagePublisher(store: store, limits: RedisMessagePublisher.Limits(configuration)),
            conversations: PostgresConversationRepository(dependencies.database),
            identifiers: dependencies.identifiers,
            fingerprints: SHA256Fingerprinting(),
            bus: bus,
        )
    }

    private static func limiter(_ dependencies: ReplicaDependencies, _ store: RedisStore) -> any RequestLimiter {
        CredentialLimiter(attempts: dependencies.credentialLimits(store), clients: dependencies.clients)
    }

    private static func conversations(
        _ dependencies: ReplicaDependencies,
        _ store: RedisStore,
        _ requests: RedisRequestRepository,
        _ notices: RedisArchiveNotices
    ) -> ConversationServices {
        let archived = PostgresConversationRepository(dependencies.database)
        let recent = RedisConversations(store: store)
        let time = dependencies.clock
        let catchUp = ArchiveCatchUp(notices: notices, clock: LoopClock(loop: store.loop))
        let lookup = ConversationLookup(
            conversations: archived,
            activity: recent,
            wallClock: time,
            catchUp: catchUp,
        )
        return ConversationServices(
            create: CreateConversationHandler(
                conversations: archived,
                identifiers: dependencies.identifiers,
                clock: time
            ),
            list: ListConversationsHandler(conversations: archived),
            read: ReadConversationHandler(lookup: lookup),
            rename: RenameConversationHandler(conversations: archived, lookup: lookup, clock: time),
            delete: DeleteConversationHandler(conversations: archived, activity: recent, clock: time),
            messages: ListMessagesHandler(
                conversations: archived,
                lookup: lookup,
                requests: requests,
                memory: recent,
                catchUp: catchUp,
            ),
        )
    }

    func close() {
        sweep?.close()
        statistics?.close()
        streams.close()
        pushes.close()
        store.close()
    }
}

extension SubmissionLimits {
    fileprivate init(_ configuration: Configuration) {
        self.init(
            rate: configuration.limits.solve.map { RequestRate($0) },
            active: configuration.limits.userMaxActive,
            tokens: configuration.limits.userDailyTokens,
        )
    }
}

extension RequestRate {
    init(_ rate: Rate) { self.init(count: rate.count, period: rate.period) }
}

extension RedisMessagePublisher.Limits {
    fileprivate init(_ configuration: Configuration) {
        self.init(waiting: configuration.jobs.queueMaxDepth)
        waitingInConversation = configuration.jobs.conversationMaxWaiting
        records = configuration.jobs.archiveMaxWaiting
    }
}

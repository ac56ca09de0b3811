internal import Telemetry

/// One run of a group: the state machine, driven by a single task, so that it needs no lock.
struct ServiceGroupRun {
    private let services: [any Service]
    private let logger: Logger
    private let post: AsyncStream<ServiceGroup.Event>.Continuation
    private var events: AsyncStream<ServiceGroup.Event>.Iterator
    private var tasks: [Task<Void, Never>] = []
    private var hasStarted: Set<Int> = []
    private var hasEnded: Set<Int> = []
    private var hasDrained: Set<Int> = []
    private var stopRequested: Bool
    private var isStopping = false
    private var abandoned: [String] = []
    private var failure: (any Error)?
    private var limitNumber = 0

    init(
        services: [any Service],
        logger: Logger,
        events: AsyncStream<ServiceGroup.Event>,
        post: AsyncStream<ServiceGroup.Event>.Continuation,
        stopRequested: Bool
    ) {
        self.stopRequested = stopRequested
        self.services = services
        self.logger = logger
        self.post = post
        self.events = events.makeAsyncIterator()
    }

    mutating func run(onStop: @Sendable () -> Void) async throws {
        await start()
        if !mustStop {
            logger.info("all services started")
            await wait(limit: nil) { $0.mustStop }
        }
        isStopping = true
        onStop()
        await drain()
        await close()
        if let failure { throw failure }
        if !abandoned.isEmpty { throw ServiceGroupError.abandoned(services: abandoned) }
        logger.info("all services stopped")
    }

    private var mustStop: Bool { stopRequested || failure != nil }

    private mutating func start() async {
        for (index, service) in services.enumerated() where !mustStop {
            launch(index, service)
            let inTime = await wait(limit: service.limits.start) { $0.hasStarted.contains(index) || $0.mustStop }
            if !inTime { fail(ServiceGroupError.startLimitReached(service: service.name), service) }
        }
    }

    /// The task is unstructured, because the group stops waiting for a service that does not close in time; a child task
    /// would have to be awaited.
    private mutating func launch(_ index: Int, _ service: any Service) {
        let post = post
        let task = Task {
            do {
                try await service.run { post.yield(.started(index)) }
                post.yield(.ended(index, nil))
            } catch {
                post.yield(.ended(index, error))
            }
        }
        tasks.append(task)
    }

    /// Only services that have started and still run are drained.
    private mutating func drain() async {
        let post = post
        for (index, service) in services.enumerated().reversed()
        where hasStarted.contains(index) && !hasEnded.contains(index) {
            let task = Task {
                await service.drain()
                post.yield(.drained(index))
            }
            let inTime = await wait(limit: service.limits.drain) {
                $0.hasDrained.contains(index) || $0.hasEnded.contains(index)
            }
            task.cancel()
            if !inTime { logger.warning("service did not drain in time", ["service_name": .string(service.name)]) }
        }
    }

    private mutating func close() async {
        for (index, task) in tasks.enumerated().reversed() {
            let service = services[index]
            task.cancel()
            let inTime = await wait(limit: service.limits.close) { $0.hasEnded.contains(index) }
            if inTime {
                logger.debug("service closed", ["service_name": .string(service.name)])
            } else {
                logger.error("service did not close in time", ["service_name": .string(service.name)])
                abandoned.append(service.name)
            }
        }
    }

    /// Processes events until `condition` holds; false if the limit is reached before.
    @discardableResult
    private mutating func wait(limit: Duration?, until condition: (Self) -> Bool) async -> Bool {
        if condition(self) { return true }
        limitNumber += 1
        let number = limitNumber
        let post = post
        let timer = limit.map { limit in
            Task {
                try await Task.sleep(for: limit)
                post.yield(.limit(number))
            }
        }
        defer { timer?.cancel() }
        while true {
            guard let event = await events.next(isolation: #isolation) else { return condition(self) }
            switch event {
            case .started(let index): hasStarted.insert(index)
            case .drained(let index): hasDrained.insert(index)
            case .stop: stopRequested = true
            case .ended(let index, let error): noteEnd(of: index, error)
            case .limit(let reached): if reached == number { return condition(self) }
            }
            if condition(self) { return true }
        }
    }

    private mutating func noteEnd(of index: Int, _ error: (any Error)?) {
        let service = services[index]
        hasEnded.insert(index)
        switch error {
        case nil: if !isStopping { fail(ServiceGroupError.endedEarly(service: service.name), service) }
        case let error? where error is CancellationError && isStopping: break
        case let error?: fail(error, service)
        }
    }

    private mutating func fail(_ error: any Error, _ service: any Service) {
        logger.error("service failed", ["service_name": .string(service.name), "error": .error(error)])
        if failure == nil { failure = error }
    }
}

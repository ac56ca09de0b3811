package import Application
package import Domain
package import EventLoop
package import Instrumentation
package import Shared
package import Telemetry
internal import Tracing

/// Receives jobs from the queue and runs them on one loop, up to the number of its slots at the same time.
///
/// ```
///  intake:   receive ──► slot ──► RunMathRequest ──► slot free; every second a take-over of silent workers' jobs
///            instead, one after the other, so that both never fill the same slots
///  leases:   renewed every third of a lease; lost and cancelled jobs are aborted
///  retries:  every half second, due retries are enqueued
///  tidying:  every minute, registrations of dead workers are removed
///  drain:    stop intake ──► wait for running jobs ──► release the rest ──► remove the registration
/// ```
/// Loop-owned.
package final class JobRunner {
    private static let takeOverPeriod = Duration.seconds(1)
    private static let retryPeriod = Duration.milliseconds(500)
    /// Retries enqueued by one call, which limits the time that Redis is busy with it.
    private static let retriesMax = 100
    private static let tidyPeriod = Duration.seconds(60)
    private static let unavailablePause = Duration.milliseconds(500)
    /// Longer than a wait for jobs lasts.
    private static let replyLimit = Duration.seconds(3)
    private static let releaseLimit = Duration.seconds(5)

    package struct Options: Sendable {
        /// Jobs at the same time, at least 1.
        package var slots: Int
        package var lease: Duration

        package init(slots: Int, lease: Duration) {
            self.slots = slots
            self.lease = lease
        }
    }

    private let loop: Loop
    private let consumer: any MessageConsumer
    private let membership: any QueueMembership
    private let handler: RunMathRequestHandler
    private let options: Options
    private let backoff: Backoff
    private let metrics: WorkMetrics
    private let logger: Logger
    private let jobs: RunningJobs

    private var intake: Task<Void, Never>?
    private var periodicTasks: [PeriodicTask] = []
    /// True while a call is in flight that may return jobs.
    private var isReceiving = false
    private var replyWaiters: [OneShot<Void>] = []
    private var isStopping = false

    package init(
        loop: Loop,
        consumer: any MessageConsumer,
        membership: any QueueMembership,
        handler: RunMathRequestHandler,
        options: Options,
        backoff: Backoff,
        metrics: WorkMetrics,
        logger: Logger
    ) {
        self.loop = loop
        self.consumer = consumer
        self.membership = membership
        self.handler = handler
        self.options = options
        self.backoff = backoff
        self.metrics = metrics
        self.logger = logger
        jobs = RunningJobs(loop: loop)
    }

    package var activeCount: Int { jobs.count }

    package func start() {
        let leases = LeaseRenewal(
            loop: loop,
            jobs: jobs,
            consumer: consumer,
            lease: options.lease,
            metrics: metrics,
            logger: logger,
        )
        intake = loop.spawn { await self.receiveJobs() }
        periodicTasks = [
            leases.start(),
            PeriodicTask(every: Self.retryPeriod, on: loop) { await self.enqueueDueRetries() },
            PeriodicTask(every: Self.tidyPeriod, on: loop) { await self.removeIdleConsumers() },
        ]
    }

    /// Aborts a running job whose cancellation was requested.
    package func cancel(_ id: CorrelationID, _ reason: CancelReason) {
        jobs[id]?.control.abort(.cancelled(reason))
    }

    // MARK: Intake

    private func receiveJobs() async {
        var nextTakeOver = ContinuousClock.now + Self.takeOverPeriod
        while !isStopping {
            let free = options.slots - jobs.count
            guard free > 0 else {
                await jobs.waitForRemoval()
                continue
            }
            isReceiving = true
            do throws(QueueFailure) {
                defer { replyReceived() }
                let untilTakeOver = nextTakeOver - .now
                if untilTakeOver <= .zero {
                    nextTakeOver = .now + Self.takeOverPeriod
                    try await takeOver(upTo: free)
                } else {
                    try await accept(try await consumer.receive(upTo: free, within: untilTakeOver))
                }
            } catch {
                guard error != .cancelled, await pause() else { return }
            }
        }
    }

    private func takeOver(upTo free: Int) async throws(QueueFailure) {
        let deliveries = try await consumer.takeOver(upTo: free).filter { jobs[$0.correlationID] == nil }
        try await accept(deliveries)
    }

    /// Runs delivered jobs, or releases them when the runner stops.
    private func accept(_ deliveries: [JobDelivery]) async throws(QueueFailure) {
        guard !deliveries.isEmpty else { return }
        if isStopping {
            try await consumer.release(deliveries)
        } else {
            for delivery in deliveries { run(delivery) }
        }
    }

    private func replyReceived() {
        isReceiving = false
        for waiter in replyWaiters { waiter.succeed(()) }
        replyWaiters = []
    }

    /// False when the task was cancelled.
    private func pause() async -> Bool {
        (try? await loop.sleep(for: backoff.jittered(Self.unavailablePause) + .milliseconds(50))) != nil
    }

    // MARK: Running

    private func run(_ delivery: JobDelivery) {
        let id = delivery.correlationID
        guard let job = jobs.add(delivery) else { return }
        metrics.active.increment()
        logger.debug("job received", ["correlation_id": .string(id.description), "entry": .string(delivery.entry)])
        job.task = loop.spawn { [self] in
            let output = await handler.handle(RunMathRequest(delivery: delivery, control: job.control))
            metrics.active.decrement()
            log(output, of: job)
            jobs.remove(id)
        }
    }

    private func log(_ output: RunMathRequest.Output, of job: RunningJobs.Job) {
        var fields: LogFields = ["correlation_id": .string(job.delivery.correlationID.description)]
        fields.add(job.control.trace.flatMap { TraceContext($0) })
        switch output {
        case .lost: logger.warning("attempt lost", fields)
        case .released: logger.info("job released", fields)
        case .retryScheduled: logger.info("retry scheduled", fields)
        case .settled: logger.debug("nothing to do", fields)
        case .unreadable(let detail):
            metrics.refused[.malformed].increment()
            fields["error"] = .string(detail)
            logger.error("job failed: its request cannot be processed", fields)
        case .finished: break
        }
    }

    // MARK: Maintenance

    private func enqueueDueRetries() async {
        guard !isStopping else { return }
        do throws(QueueFailure) {
            while try await consumer.enqueueDue(upTo: Self.retriesMax) == Self.retriesMax {}
        } catch {
            // The next run repeats the call, after another pause.
            _ = await pause()
        }
    }

    private func removeIdleConsumers() async {
        guard !isStopping else { return }
        // The next run repeats a failed call.
        let count = (try? await membership.removeIdleConsumers()) ?? 0
        if count > 0 { logger.info("removed consumers of dead workers", ["consumers": .int(count)]) }
    }

    // MARK: Ending

    /// Stops the intake, waits for the running jobs up to `grace`, and releases the rest to the queue.
    package func drain(within grace: Duration) async {
        isStopping = true
        jobs.endWaitForRemoval()
        // A job that is being delivered would wait for the end of its lease if its reply was dropped.
        consumer.stopWaiting()
        if isReceiving {
            let waiter = OneShot<Void>(loop: loop)
            replyWaiters.append(waiter)
            await waiter.wait(atMost: Self.replyLimit, on: loop)
        }
        await jobs.waitUntilEmpty(atMost: grace)
        if !jobs.isEmpty {
            logger.info("releasing jobs", ["jobs": .int(jobs.count)])
            jobs.abortAll(.draining)
            await jobs.waitUntilEmpty(atMost: Self.releaseLimit)
        }
        await membership.leave()
    }

    /// Ends everything at once; other workers take over the running jobs when their leases expire.
    package func close() {
        isStopping = true
        intake?.cancel()
        for task in periodicTasks { task.cancel() }
        jobs.abortAll(.leaseLost)
        for job in jobs.all { job.task?.cancel() }
    }
}

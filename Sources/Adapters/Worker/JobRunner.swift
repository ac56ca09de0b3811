package import Application
package import Domain
package import EventLoop
package import Instrumentation
package import Shared
package import Telemetry
internal import Time
internal import Tracing

/// Takes jobs from the queue and runs them, as many at once as it has slots, on one loop.
///
/// ```
///  intake:  receive ──► slot ──► RunMathRequest ──► slot free; every second instead of a receive,
///           take over from silent workers what fits the free slots: one after the other, so that never both fill them
///  lease:   every third of it, renew all; what is lost or cancelled is aborted
///  retries: every half second, let failed requests whose pause is over become jobs again
///  tidying: every minute, take the dead off the queue's list
///  drain:   no more intake; wait; hand back what is still running; leave the list
/// ```
/// Loop-owned.
package final class JobRunner {
    private static let reapPeriod = Duration.seconds(1)
    private static let promotePeriod = Duration.milliseconds(500)
    /// Postponed requests made jobs in one step, so that Redis is not held up.
    private static let promoteMax = 100
    private static let tidyPeriod = Duration.seconds(60)
    private static let unavailablePause = Duration.milliseconds(500)
    /// Longer than a wait for jobs lasts.
    private static let answerLimit = Duration.seconds(3)
    private static let handOverLimit = Duration.seconds(5)

    package struct Options: Sendable {
        /// Jobs at once, at least 1.
        package var slots: Int
        package var lease: Duration

        package init(slots: Int, lease: Duration) {
            self.slots = slots
            self.lease = lease
        }
    }

    private final class ActiveJob {
        let delivery: JobDelivery
        let control = AttemptControl()
        var task: Task<Void, Never>?

        init(_ delivery: JobDelivery) { self.delivery = delivery }
    }

    private let loop: Loop
    private let consumer: any MessageConsumer
    private let membership: any QueueMembership
    private let handler: RunMathRequestHandler
    private let options: Options
    private let backoff: Backoff
    private let metrics: WorkMetrics
    private let logger: Logger

    private var active: [CorrelationID: ActiveJob] = [:]
    private var slotWaiter: OneShot<Void>?
    private var idleWaiters: [OneShot<Void>] = []
    /// True while a question is under way that may bring jobs, and who waits for its answer.
    private var isAsking = false
    private var answerWaiters: [OneShot<Void>] = []
    private var tasks: [Task<Void, Never>] = []
    private var isStopping = false
    private var renewedAt: Int64 = 0

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
    }

    package var activeCount: Int { active.count }

    /// Begins to take jobs.
    package func start() {
        renewedAt = loop.nowMilliseconds
        tasks = [
            loop.spawn { await self.takeJobs() },
            loop.spawn { await self.keepLeases() },
            loop.spawn { await self.promoteJobs() },
            loop.spawn { await self.removeSilentConsumers() },
        ]
    }

    /// Stops a running job because its cancellation is wished.
    package func cancel(_ id: CorrelationID, _ reason: CancelReason) {
        active[id]?.control.abort(.cancelled(reason))
    }

    // MARK: Intake

    private func takeJobs() async {
        var nextTakeOver = ContinuousClock.now + Self.reapPeriod
        while !isStopping {
            let free = options.slots - active.count
            guard free > 0 else {
                await waitForSlot()
                continue
            }
            isAsking = true
            do throws(QueueFailure) {
                defer { answered() }
                let untilTakeOver = nextTakeOver - .now
                if untilTakeOver <= .zero {
                    nextTakeOver = .now + Self.reapPeriod
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
        let deliveries = try await consumer.takeOver(upTo: free).filter { active[$0.correlationID] == nil }
        try await accept(deliveries)
    }

    private func promoteJobs() async {
        while !isStopping, (try? await loop.sleep(for: Self.promotePeriod)) != nil {
            do throws(QueueFailure) {
                while try await consumer.promote(upTo: Self.promoteMax) == Self.promoteMax {}
            } catch {
                guard error != .cancelled, await pause() else { return }
            }
        }
    }

    /// Runs jobs that the queue gave, or gives them back where they came too late.
    private func accept(_ deliveries: [JobDelivery]) async throws(QueueFailure) {
        guard !deliveries.isEmpty else { return }
        if isStopping {
            try await consumer.handBack(deliveries)
        } else {
            for delivery in deliveries { run(delivery) }
        }
    }

    private func answered() {
        isAsking = false
        for waiter in answerWaiters { waiter.succeed(()) }
        answerWaiters = []
    }

    private func removeSilentConsumers() async {
        while !isStopping, (try? await loop.sleep(for: Self.tidyPeriod)) != nil {
            // What fails is done the next time.
            let count = (try? await membership.removeSilentConsumers()) ?? 0
            if count > 0 { logger.info("removed consumers of dead workers", ["consumers": .int(count)]) }
        }
    }

    private func run(_ delivery: JobDelivery) {
        let id = delivery.correlationID
        guard active[id] == nil else { return }
        let job = ActiveJob(delivery)
        active[id] = job
        metrics.active.increment()
        logger.debug("job taken", ["correlation_id": .string(id.description), "entry": .string(delivery.entry)])
        job.task = loop.spawn { [self] in
            let output = await handler.handle(RunMathRequest(delivery: delivery, control: job.control))
            didRun(id, output)
        }
    }

    private func didRun(_ id: CorrelationID, _ output: RunMathRequest.Output) {
        metrics.active.decrement()
        var fields: LogFields = ["correlation_id": .string(id.description)]
        fields.add(active[id]?.control.trace.flatMap { TraceContext($0) })
        switch output {
        case .lost: logger.warning("attempt lost", fields)
        case .handedOver: logger.info("job handed back", fields)
        case .postponed: logger.info("request postponed", fields)
        case .settled: logger.debug("nothing to do", fields)
        case .discarded(let detail):
            metrics.refused[.malformed].increment()
            fields["error"] = .string(detail)
            logger.error("job discarded", fields)
        case .finished: break
        }
        active[id] = nil
        slotWaiter?.succeed(())
        slotWaiter = nil
        if active.isEmpty {
            for waiter in idleWaiters { waiter.succeed(()) }
            idleWaiters = []
        }
    }

    private func waitForSlot() async {
        let waiter = OneShot<Void>(loop: loop)
        slotWaiter = waiter
        try? await waiter.value()
    }

    /// False when the task has been cancelled.
    private func pause() async -> Bool {
        (try? await loop.sleep(for: backoff.jittered(Self.unavailablePause) + .milliseconds(50))) != nil
    }

    // MARK: Leases

    private func keepLeases() async {
        while (try? await loop.sleep(for: options.lease / 3)) != nil {
            await renewLeases()
        }
    }

    private func renewLeases() async {
        guard !active.isEmpty else {
            renewedAt = loop.nowMilliseconds
            return
        }
        do throws(QueueFailure) {
            let report = try await consumer.renew(active.values.map(\.delivery))
            renewedAt = loop.nowMilliseconds
            for delivery in report.lost {
                // The request may be here again by now, as another job.
                guard let job = active[delivery.correlationID], job.delivery == delivery else { continue }
                job.control.abort(.leaseLost)
            }
            for (delivery, reason) in report.cancelled { cancel(delivery.correlationID, reason) }
        } catch {
            metrics.renewalFailures.increment()
            // Beyond the lease another worker may have the jobs: what cannot be renewed is not worked on.
            let silence = loop.nowMilliseconds - renewedAt
            guard silence > options.lease.wholeMilliseconds else { return }
            logger.error("leases could not be renewed", ["jobs": .int(active.count)])
            for job in active.values { job.control.abort(.leaseLost) }
        }
    }

    // MARK: Ending

    /// Takes no more jobs, lets the running ones end within `grace`, and hands the rest back to the queue.
    package func drain(within grace: Duration) async {
        isStopping = true
        slotWaiter?.succeed(())
        // A job that is on its way to this worker would wait for the end of its lease if nobody took note of it.
        consumer.stopWaiting()
        if isAsking { await wait(in: \.answerWaiters, atMost: Self.answerLimit) }
        if !active.isEmpty { await wait(in: \.idleWaiters, atMost: grace) }
        if !active.isEmpty {
            logger.info("handing jobs back", ["jobs": .int(active.count)])
            for job in active.values { job.control.abort(.handedOver) }
            await wait(in: \.idleWaiters, atMost: Self.handOverLimit)
        }
        await membership.leave()
    }

    private func wait(
        in list: ReferenceWritableKeyPath<JobRunner, [OneShot<Void>]>,
        atMost limit: Duration
    ) async {
        let waiter = OneShot<Void>(loop: loop)
        self[keyPath: list].append(waiter)
        let timer = loop.schedule(after: limit) { waiter.succeed(()) }
        try? await waiter.value()
        timer.close()
    }

    /// Ends everything at once; what is running is taken over by other workers when its lease is over.
    package func close() {
        isStopping = true
        for task in tasks { task.cancel() }
        for job in active.values {
            job.control.abort(.leaseLost)
            job.task?.cancel()
        }
    }
}

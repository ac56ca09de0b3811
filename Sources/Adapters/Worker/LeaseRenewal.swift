internal import Application
internal import EventLoop
internal import Instrumentation
internal import Telemetry
internal import Time

/// Renews the leases of the running jobs, and aborts the jobs that were lost or cancelled.
///
/// Loop-owned.
///
/// After a lease without a successful renewal another worker may own the jobs: all of them are aborted.
final class LeaseRenewal {
    private let loop: Loop
    private let jobs: RunningJobs
    private let consumer: any MessageConsumer
    private let lease: Duration
    private let metrics: WorkMetrics
    private let logger: Logger
    /// Loop time in milliseconds.
    private var renewedAt: Int64

    init(
        loop: Loop,
        jobs: RunningJobs,
        consumer: any MessageConsumer,
        lease: Duration,
        metrics: WorkMetrics,
        logger: Logger
    ) {
        self.loop = loop
        self.jobs = jobs
        self.consumer = consumer
        self.lease = lease
        self.metrics = metrics
        self.logger = logger
        renewedAt = loop.nowMilliseconds
    }

    /// Renews every third of a lease, so that two failures in a row are no loss.
    func start() -> PeriodicTask { PeriodicTask(every: lease / 3, on: loop) { await self.renew() } }

    private func renew() async {
        guard !jobs.isEmpty else {
            renewedAt = loop.nowMilliseconds
            return
        }
        do throws(QueueFailure) {
            let report = try await consumer.renew(jobs.all.map(\.delivery))
            renewedAt = loop.nowMilliseconds
            for delivery in report.lost {
                // The request may run here again, as another job.
                guard let job = jobs[delivery.correlationID], job.delivery == delivery else { continue }
                job.control.abort(.leaseLost)
            }
            for (delivery, reason) in report.cancelled {
                jobs[delivery.correlationID]?.control.abort(.cancelled(reason))
            }
        } catch {
            metrics.renewalFailures.increment()
            let silence = loop.nowMilliseconds - renewedAt
            guard silence > lease.wholeMilliseconds else { return }
            logger.error("leases could not be renewed", ["jobs": .int(jobs.count)])
            jobs.abortAll(.leaseLost)
        }
    }
}

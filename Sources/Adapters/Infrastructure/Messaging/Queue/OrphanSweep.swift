package import Application
internal import Domain
internal import EventLoop
internal import RedisClient
internal import Shared
internal import Telemetry
internal import Time

/// Ends orphans: requests that are in no queue, because an operator deleted or trimmed entries of the job stream.
///
/// ```
///  job not seen for a lease ──► in the queue, delayed, or waiting in its conversation ──► seen
///                          └──► entry of another name in the stream ────────────────────► stored
///                          └──► none ──► cancelled if that is requested, else failed and dead-lettered
/// ```
/// Every replica of the workers sweeps; Redis decides which one ends a request. Loop-owned; one per process is enough.
package final class OrphanSweep {
    private static let batch = 100
    private static let pageEntries = 500
    private static let failure = RequestFailure(
        kind: .removedFromQueue,
        detail: "This problem was removed from the queue by an operator. Please send it again.",
    )

    private let store: RedisStore
    private let consumer: any MessageConsumer
    private let lease: Duration
    private let choice: ProviderIdentity
    private var task: PeriodicTask?

    /// A job may be unseen for `lease`.
    ///
    /// `choice` is the provider that the request would have got.
    package init(
        store: RedisStore,
        consumer: any MessageConsumer,
        lease: Duration,
        choice: ProviderIdentity
    ) {
        self.store = store
        self.consumer = consumer
        self.lease = lease
        self.choice = choice
    }

    package func start() {
        task = PeriodicTask(every: lease / 4, on: store.loop) { await self.sweep() }
    }

    package func close() {
        task?.cancel()
        task = nil
    }

    /// A later sweep repeats what fails.
    func sweep() async {
        for partition in 0..<store.keys.partitions {
            var isFull = true
            var unseenSince: Int?
            while isFull, let page = try? await store.call(call(in: partition, since: unseenSince)) {
                isFull = page.examined == Self.batch
                unseenSince = page.unseenSince
                guard !page.orphans.isEmpty, let entries = try? await jobs(in: partition) else { continue }
                for orphan in page.orphans { await settle(orphan, entries[orphan.id]) }
            }
        }
    }

    private func call(in partition: Int, since time: Int?) -> ListOrphansCall {
        ListOrphansCall(
            in: partition,
            unseenFor: lease,
            since: time,
            upTo: Self.batch,
            store.keys,
            store.retention,
        )
    }

    /// The newest entry of each request in the job stream, read in pages between which Redis serves other clients.
    private func jobs(in partition: Int) async throws(RedisError) -> [CorrelationID: String] {
        var jobs: [CorrelationID: String] = [:]
        var from = "-"
        while true {
            let command = RedisCommand("XRANGE", store.keys.jobs(partition), from, "+", "COUNT", Self.pageEntries)
            let page = try await store.call(command, in: partition).array ?? []
            for entry in page {
                guard let parts = entry.array, parts.count == 2, let name = parts[0].string,
                    let id = parts[1].fields["id"].flatMap({ CorrelationID($0) })
                else { continue }
                jobs[id] = name
            }
            guard page.count == Self.pageEntries, let last = page.last?.array?.first?.string else { return jobs }
            from = "(\(last)"
        }
    }

    private func settle(_ orphan: Orphan, _ entry: String?) async {
        if let entry, entry != orphan.entry {
            try? await store.call(SetJobEntryCall(entry, of: orphan.id, store.keys))
        } else {
            try? await end(orphan)
        }
    }

    private func end(_ request: Orphan) async throws {
        let delivery = JobDelivery(
            entry: request.entry.isEmpty ? "0-0" : request.entry,
            correlationID: request.id,
            requestedProvider: nil,
        )
        let fields: [String: String]
        do {
            let command = RedisCommand("HGETALL", store.keys.request(request.id))
            fields = try await store.connection(of: request.id).call(command).fields
        } catch {
            guard case .server(let answer) = error, answer.isPermanent else { throw error }
            return try await consumer.failUnreadable(delivery, detail: answer.message)
        }
        guard let record = RequestHash.record(request.id, fields) else {
            return try await consumer.failUnreadable(delivery, detail: "the request's record cannot be read")
        }
        guard !record.status.isTerminal else { return }
        let requested = fields[RequestField.cancel.rawValue].map { CancelReason(stored: $0) }
        let age = max(0, UnixTime.milliseconds - record.createdAt.milliseconds)
        let attempt = FinishedAttempt(
            claim: JobClaim(
                delivery: delivery,
                request: record.request,
                attempt: request.attempts + (requested == nil ? 1 : 0),
                cause: .workerLost,
                queueMilliseconds: 0,
                ageMilliseconds: Int(age),
            ),
            outcome: requested.map { .cancelled($0) } ?? .failed(Self.failure),
            answer: nil,
            account: ProviderAccount(provider: choice, usage: .none),
            firstTokenMilliseconds: nil,
            durationMilliseconds: 0,
        )
        let marker = FinishPlace.id(EventID(attempt: request.attempts + 1, sequence: 0))
        let result = try await consumer.finish(
            attempt,
            at: requested == nil ? marker : .afterLast,
            letter: requested == nil ? .removedFromQueue : nil,
        )
        guard result == .finished else { return }
        store.publish(OrphanEnded(correlationID: request.id))
        switch attempt.outcome {
        case .cancelled(let reason):
            store.publish(RequestEndedWithoutWorker.cancelled(reason, after: .milliseconds(age)))
        case .failed(let failure):
            store.publish(RequestEndedWithoutWorker.failed(request.id, failure.kind, after: .milliseconds(age)))
        case .completed: break
        }
    }
}

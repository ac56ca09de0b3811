package import Application
internal import Domain
internal import EventLoop
internal import RedisClient
internal import Shared
internal import Telemetry
internal import Time

/// Ends requests that no queue knows any more: an operator deleted or trimmed entries of the job stream.
///
/// ```
///  request's job not seen for a lease ──► in the queue, delayed, behind another of its conversation ──► seen
///                                    └──► entry of another name in the stream ─────────────────────────► noted
///                                    └──► none ──► cancelled where that was wished, else failed and a dead letter
/// ```
/// Every replica of the workers sweeps; Redis decides who ends a request. Loop-owned; one for each process is enough.
package final class OrphanSweep {
    private static let batch = 100
    private static let pageEntries = 500
    private static let failure = RequestFailure(
        kind: .removedFromQueue,
        detail: "This problem was removed from the queue by an operator. Please send it again.",
    )

    private struct Unqueued {
        let id: CorrelationID
        /// The job's entry as far as it is known; empty where it never had one.
        let entry: String
        let attempts: UInt64
    }

    private let store: RedisStore
    private let consumer: any MessageConsumer
    private let lease: Duration
    private let choice: ProviderIdentity
    private var task: PeriodicTask?

    /// A job may be unseen for `lease`.
    ///
    /// `choice` is the provider that a request would have been given.
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

    /// What fails is done by a later sweep.
    func sweep() async {
        for partition in 0..<store.keys.partitions {
            var isFull = true
            var unseenSince: Int?
            while isFull, let batch = try? await unqueued(in: partition, since: unseenSince) {
                isFull = batch.inspected == Self.batch
                unseenSince = batch.unseenSince
                guard !batch.requests.isEmpty, let entries = try? await jobs(in: partition) else { continue }
                for request in batch.requests { await settle(request, entries[request.id]) }
            }
        }
    }

    private struct Batch {
        let inspected: Int
        /// By Redis' clock, in milliseconds: what has been seen since is not looked at in this sweep.
        let unseenSince: Int?
        let requests: [Unqueued]
    }

    private func unqueued(in partition: Int, since time: Int?) async throws(RedisError) -> Batch {
        let keys = store.keys
        let reply = try await store.call(
            .listOrphans,
            keys: [
                keys.jobs(partition), keys.delayed(partition), keys.waiting(partition), keys.unfinished(partition),
                keys.requests(partition),
            ],
            [
                Keyspace.group, String(lease.wholeMilliseconds), String(Self.batch),
                String(store.retention.live.wholeMilliseconds), time.map { String($0) } ?? "",
            ],
        )
        let answer = reply.array ?? []
        let fields = answer.dropFirst(2).compactMap(\.string)
        let requests: [Unqueued] = stride(from: 0, to: fields.count - 2, by: 3).compactMap { place in
            guard let id = CorrelationID(fields[place]), let attempts = UInt64(fields[place + 2]) else { return nil }
            return Unqueued(id: id, entry: fields[place + 1], attempts: attempts)
        }
        return Batch(
            inspected: answer.first?.integer ?? 0,
            unseenSince: answer.dropFirst().first?.integer,
            requests: requests,
        )
    }

    /// The newest entry of each request in the job stream, read in steps between which Redis serves others.
    private func jobs(in partition: Int) async throws(RedisError) -> [CorrelationID: String] {
        var jobs: [CorrelationID: String] = [:]
        var from = "-"
        while true {
            let command = RedisCommand("XRANGE", store.keys.jobs(partition), from, "+", "COUNT", Self.pageEntries)
            let page = try await store.call(command).array ?? []
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

    private func settle(_ request: Unqueued, _ entry: String?) async {
        if let entry, entry != request.entry {
            _ = try? await store.call(.setJobEntry, keys: [store.keys.request(request.id)], [entry])
        } else {
            try? await end(request)
        }
    }

    private func end(_ request: Unqueued) async throws {
        let delivery = JobDelivery(
            entry: request.entry.isEmpty ? "0-0" : request.entry,
            correlationID: request.id,
            requestedProvider: nil,
        )
        let reply: RedisValue
        do {
            reply = try await store.call(RedisCommand("HGETALL", store.keys.request(request.id)))
        } catch {
            guard case .server(let answer) = error, answer.isPermanent else { throw error }
            return try await consumer.failUnreadable(delivery, detail: answer.message)
        }
        guard let record = RequestHash.record(request.id, reply) else {
            return try await consumer.failUnreadable(delivery, detail: "the request's record cannot be read")
        }
        guard !record.status.isTerminal else { return }
        let wish = reply.fields[RequestField.cancel.rawValue]
        let answer = request.attempts > 0 ? try await StoredAnswer(store: store).text(of: request.id) ?? "" : ""
        let age = max(0, UnixTime.milliseconds - record.createdAt.milliseconds)
        let attempt = FinishedAttempt(
            claim: JobClaim(
                delivery: delivery,
                request: record.request,
                attempt: request.attempts + (wish == nil ? 1 : 0),
                cause: .workerLost,
                queueMilliseconds: 0,
                ageMilliseconds: Int(age),
                answer: answer,
            ),
            outcome: wish.map { .cancelled(CancelReason(stored: $0)) } ?? .failed(Self.failure),
            answer: answer,
            account: ProviderAccount(provider: choice, usage: .none),
            firstTokenMilliseconds: nil,
            durationMilliseconds: 0,
        )
        let marker = FinishPlace.id(EventID(attempt: request.attempts + 1, sequence: 0))
        let result = try await consumer.finish(
            attempt,
            at: wish == nil ? marker : .afterLast,
            letter: wish == nil ? .removedFromQueue : nil,
        )
        guard result == .finished else { return }
        store.publish(OrphanEnded(correlationID: request.id))
        switch attempt.outcome {
        case .cancelled(let reason):
            store.publish(RequestEndedWithoutWorker.cancelled(reason, after: .milliseconds(age)))
        case .failed(let failure):
            store.publish(RequestEndedWithoutWorker.failed(failure.kind, after: .milliseconds(age)))
        case .completed: break
        }
    }
}

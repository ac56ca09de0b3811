package import Application
internal import Domain
internal import EventLoop
internal import RedisClient
package import Shared
internal import Telemetry

/// Ends requests that no queue knows any more: an operator deleted or trimmed entries of the job stream.
///
/// ```
///  request's job not seen for a lease ──► in the queue, delayed, behind another of its conversation ──► seen
///                                    └──► entry of another name in the stream ─────────────────────────► noted
///                                    └──► none ──► cancelled where that was wished, else failed and a dead letter
/// ```
/// Every replica of the workers sweeps; Redis decides who ends a request. Loop-owned; one for each process is enough.
package final class UnqueuedSweep {
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
    private let onEnd: (CorrelationID) -> Void
    private var sweeping: Task<Void, Never>?

    /// A job may be unseen for `lease`.
    ///
    /// `choice` is the provider that a request would have been given. `onEnd` hears of each request that this sweep has ended.
    package init(
        store: RedisStore,
        consumer: any MessageConsumer,
        lease: Duration,
        choice: ProviderIdentity,
        onEnd: @escaping (CorrelationID) -> Void
    ) {
        self.store = store
        self.consumer = consumer
        self.lease = lease
        self.choice = choice
        self.onEnd = onEnd
    }

    package func start() {
        sweeping = store.loop.spawn { [self] in
            while (try? await store.loop.sleep(for: lease / 4)) != nil { await sweep() }
        }
    }

    package func close() {
        sweeping?.cancel()
        sweeping = nil
    }

    /// What fails is done by the next sweep.
    func sweep() async {
        for partition in 0..<store.keys.partitions {
            while let found = try? await unqueued(in: partition), !found.isEmpty {
                guard let entries = try? await jobs(in: partition) else { break }
                var ended = 0
                for request in found where await settle(request, entries[request.id]) { ended += 1 }
                // What could not be ended comes again.
                guard ended == found.count, ended == Self.batch else { break }
            }
        }
    }

    private func unqueued(in partition: Int) async throws(RedisError) -> [Unqueued] {
        let keys = store.keys
        let reply = try await store.call(
            .unqueued,
            keys: [
                keys.jobs(partition), keys.delayed(partition), keys.waiting(partition), keys.unfinished(partition),
                keys.requests(partition),
            ],
            [
                Keyspace.group, String(lease.wholeMilliseconds), String(Self.batch),
                String(store.retention.live.wholeMilliseconds),
            ],
        )
        let fields = (reply.array ?? []).compactMap(\.string)
        return stride(from: 0, to: fields.count - 2, by: 3).compactMap { place in
            guard let id = CorrelationID(fields[place]), let attempts = UInt64(fields[place + 2]) else { return nil }
            return Unqueued(id: id, entry: fields[place + 1], attempts: attempts)
        }
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

    /// True where the request is settled by this.
    private func settle(_ request: Unqueued, _ entry: String?) async -> Bool {
        if let entry, entry != request.entry {
            return (try? await store.call(.nameJob, keys: [store.keys.request(request.id)], [entry])) != nil
        }
        do {
            return try await end(request)
        } catch {
            return false
        }
    }

    private func end(_ request: Unqueued) async throws -> Bool {
        let reply = try await store.call(RedisCommand("HGETALL", store.keys.request(request.id)))
        guard let record = RequestHash.record(request.id, reply), !record.status.isTerminal else { return true }
        let wish = reply.fields[RequestField.cancel.rawValue]
        let answer = request.attempts > 0 ? try await StoredAnswer(store: store).text(of: request.id) ?? "" : ""
        let age = max(0, UnixTime.microseconds / 1000 - record.createdAt.milliseconds)
        let attempt = FinishedAttempt(
            claim: JobClaim(
                delivery: JobDelivery(
                    entry: request.entry.isEmpty ? "0-0" : request.entry,
                    correlationID: request.id,
                    requestedProvider: record.request.requestedProvider,
                ),
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
        guard result == .finished else { return true }
        onEnd(request.id)
        switch attempt.outcome {
        case .cancelled(let reason): store.onEnd?(.cancelled(reason, after: .milliseconds(age)))
        case .failed(let failure): store.onEnd?(.failed(failure.kind, after: .milliseconds(age)))
        case .completed: break
        }
        return true
    }
}

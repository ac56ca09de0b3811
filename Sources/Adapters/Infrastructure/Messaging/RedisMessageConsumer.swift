package import Application
package import Domain
internal import EventLoop
package import RedisClient
internal import Shared

/// The worker's side of the job streams, as one consumer of the group.
///
/// Waiting for jobs has a connection of its own, because a blocked XREADGROUP holds up every command behind it.
package final class RedisMessageConsumer: MessageConsumer, QueueMembership {
    /// How long a wait for jobs lasts where nobody says otherwise.
    package static let blockLimit = Duration.seconds(2)
    /// An idle time that makes an entry due for take-over at once.
    private static let handedBackIdle = Duration.seconds(86_400)

    package struct Terms: Sendable {
        /// Silence after which a job is taken over.
        package var lease: Duration
        package var attemptsMax: Int
        package var timeToLive: Duration
        package var timeToLiveAfterEnd: Duration
        /// Silence after which a consumer that owns nothing is forgotten; longer than any that a live worker has.
        package var consumerIdle: Duration

        /// Consumers are forgotten after ten leases, and not before five minutes.
        package init(lease: Duration, attemptsMax: Int, timeToLive: Duration, timeToLiveAfterEnd: Duration) {
            self.lease = lease
            self.attemptsMax = attemptsMax
            self.timeToLive = timeToLive
            self.timeToLiveAfterEnd = timeToLiveAfterEnd
            consumerIdle = max(lease * 10, .seconds(300))
        }
    }

    /// Hears of job entries that no version of this program could run.
    package var onMalformedJob: ((_ entry: String) -> Void)?

    private let store: RedisStore
    private let waiting: RedisCommander
    private let waitingClient: WaitingClient
    private let consumer: String
    private let terms: Terms
    /// Which partition is looked at first, so that none is always the last.
    private var nextPartition = 0

    /// `consumer` is a name that no other consumer of the group has.
    package init(
        store: RedisStore,
        waiting configuration: RedisConfiguration,
        consumer: String,
        terms: Terms
    ) {
        self.store = store
        self.consumer = consumer
        self.terms = terms
        let client = WaitingClient()
        waitingClient = client
        waiting = RedisCommander(configuration, on: store.loop) { connection async throws(RedisError) in
            let reply = try await connection.call(RedisCommand("CLIENT", "ID"), deadline: RedisStore.commandDeadline)
            client.number = reply.integer
        }
    }

    /// What Redis calls the waiting connection; nil before there was one.
    private final class WaitingClient {
        var number: Int?
    }

    package func close() { waiting.close() }

    // MARK: Taking

    package func receive(
        upTo count: Int,
        within limit: Duration = blockLimit
    ) async throws(QueueFailure) -> [JobDelivery] {
        let partitions = Array(0..<store.keys.partitions)
        guard count < partitions.count else {
            return try await read(partitions, upTo: count / partitions.count, blockingFor: limit)
        }
        // Redis counts by stream: with fewer free slots than partitions, one after the other is looked at first. When all
        // were empty, a read that waits is woken by one of them.
        nextPartition = (nextPartition + 1) % partitions.count
        var deliveries: [JobDelivery] = []
        for partition in partitions[nextPartition...] + partitions[..<nextPartition] {
            do {
                deliveries += try await read([partition], upTo: count - deliveries.count, blockingFor: nil)
            } catch  where !deliveries.isEmpty {
                return deliveries
            }
            if deliveries.count == count { return deliveries }
        }
        guard deliveries.isEmpty else { return deliveries }
        let woken = try await read(partitions, upTo: 1, blockingFor: limit)
        if woken.count > count { try await handBack(Array(woken[count...])) }
        return Array(woken.prefix(count))
    }

    /// Up to `count` new jobs of each partition; with `limit`, waits for the first one.
    private func read(
        _ partitions: [Int],
        upTo count: Int,
        blockingFor limit: Duration?
    ) async throws(QueueFailure) -> [JobDelivery] {
        var command = RedisCommand("XREADGROUP", "GROUP", Keyspace.group, consumer, "COUNT", count)
        if let limit { command.append(contentsOf: ["BLOCK", String(max(1, limit.wholeMilliseconds))]) }
        command.append(contentsOf: ["STREAMS"])
        command.append(contentsOf: partitions.map { store.keys.jobs($0) })
        command.append(contentsOf: partitions.map { _ in ">" })
        do {
            let deadline = (limit ?? .zero) + RedisStore.commandDeadline
            let reply = try await waiting.call(command, deadline: deadline)
            var deliveries: [JobDelivery] = []
            for (partition, entries) in (reply.array ?? []).compactMap({ entriesByPartition($0) }) {
                deliveries += try await readable(entries, in: partition)
            }
            return deliveries
        } catch {
            if case .server(let answer) = error, answer.code == "NOGROUP" {
                try await makeGroups()
                return []
            }
            throw QueueFailure(error)
        }
    }

    package func stopWaiting() {
        guard let number = waitingClient.number else { return }
        let command = RedisCommand("CLIENT", "UNBLOCK", number)
        store.commander.send(command, deadline: RedisStore.commandDeadline) { _ in }
    }

    private func makeGroups() async throws(QueueFailure) {
        for partition in 0..<store.keys.partitions {
            do {
                _ = try await store.call(
                    RedisCommand(
                        "XGROUP",
                        "CREATE",
                        store.keys.jobs(partition),
                        Keyspace.group,
                        "0",
                        "MKSTREAM",
                    )
                )
            } catch {
                guard case .server(let answer) = error, answer.code == "BUSYGROUP" else { throw QueueFailure(error) }
            }
        }
    }

    package func takeOver(upTo count: Int) async throws(QueueFailure) -> [JobDelivery] {
        var deliveries: [JobDelivery] = []
        for partition in 0..<store.keys.partitions where deliveries.count < count {
            do {
                let reply = try await store.call(
                    .takeOver,
                    keys: [store.keys.jobs(partition)],
                    [
                        Keyspace.group, consumer, String(terms.lease.wholeMilliseconds),
                        String(count - deliveries.count),
                    ],
                )
                deliveries += try await readable(reply.array ?? [], in: partition)
            } catch {
                throw QueueFailure(error)
            }
        }
        return deliveries
    }

    private func entriesByPartition(_ stream: RedisValue) -> (Int, [RedisValue])? {
        guard let parts = stream.array, parts.count == 2, let key = parts[0].string, let entries = parts[1].array,
            let partition = (0..<store.keys.partitions).first(where: { store.keys.jobs($0) == key })
        else { return nil }
        return (partition, entries)
    }

    /// Puts aside what nobody can read, so that it does not come back for ever.
    private func readable(_ entries: [RedisValue], in partition: Int) async throws(RedisError) -> [JobDelivery] {
        var deliveries: [JobDelivery] = []
        for entry in entries {
            let job = JobEntry(entry)
            switch job {
            case .job(let delivery): deliveries.append(delivery)
            case .laterVersion: break  // Stays pending until a worker of that version takes it over.
            case .malformed(let name):
                onMalformedJob?(name)
                _ = try await store.call(
                    .bury,
                    keys: [store.keys.jobs(partition), store.keys.dead(partition)],
                    [Keyspace.group, name, "malformed", "\(entry)"],
                )
            }
        }
        return deliveries
    }

    // MARK: Owning

    package func claim(_ delivery: JobDelivery, _ plan: AttemptPlan) async throws(QueueFailure) -> ClaimResult {
        let id = delivery.correlationID
        let reply: [RedisValue]
        do {
            reply =
                try await store.call(
                    .claim,
                    keys: keys(of: id),
                    [
                        Keyspace.group, consumer, delivery.entry, store.keys.live(id),
                        String(terms.timeToLive.wholeMilliseconds), String(terms.attemptsMax),
                        plan.restartReason.rawValue,
                        EventData.markerSuffix(plan),
                    ],
                ).array ?? []
        } catch {
            throw QueueFailure(error)
        }
        guard reply.count == 4, let attempt = reply[1].integer, let queued = reply[2].integer,
            let record = RequestHash.record(id, reply[3])
        else { return .settled }
        let claim = JobClaim(
            delivery: delivery,
            request: record.request,
            attempt: UInt64(attempt),
            queueMilliseconds: max(0, queued),
            lastFailure: RequestHash.lastFailure(reply[3]),
        )
        switch reply[0].string {
        case "claimed": return .claimed(claim)
        case "exhausted": return .exhausted(claim)
        case "cancelled": return .cancelled(claim, RequestHash.cancelReason(reply[3]))
        default: return .settled
        }
    }

    package func finish(
        _ attempt: FinishedAttempt,
        at place: FinishPlace,
        givenUp: Bool
    ) async throws(QueueFailure) -> FinishResult {
        let id = attempt.claim.request.correlationID
        let sequence =
            switch place {
            case .id(let event): String(event.sequence)
            case .afterLast: ""
            }
        var arguments = [
            Keyspace.group, consumer, attempt.claim.delivery.entry, String(attempt.claim.attempt), sequence,
            attempt.outcome.eventName.rawValue, String(decoding: EventData.terminal(attempt, at: place), as: UTF8.self),
            store.keys.live(id), attempt.outcome.status.rawValue, String(terms.timeToLiveAfterEnd.wholeMilliseconds),
        ]
        arguments += RequestHash.fields(of: attempt)
        do {
            let dead = givenUp ? [store.keys.dead(store.keys.partition(of: id))] : []
            switch try await store.call(.finish, keys: keys(of: id) + dead, arguments).string {
            case "finished": return .finished
            case "history_lost": return .historyLost
            default: return .superseded
            }
        } catch {
            throw QueueFailure(error)
        }
    }

    package func postpone(
        _ claim: JobClaim,
        for pause: Duration,
        _ reason: RestartReason,
        _ failure: RequestFailure
    ) async throws(QueueFailure) -> PostponeResult {
        let id = claim.request.correlationID
        do {
            let reply = try await store.call(
                .postpone,
                keys: keys(of: id) + [store.keys.delayed(store.keys.partition(of: id))],
                [
                    Keyspace.group, consumer, claim.delivery.entry, String(claim.attempt),
                    String(pause.wholeMilliseconds), String(terms.attemptsMax), id.description,
                    claim.request.requestedProvider ?? "", reason.rawValue, failure.kind.rawValue, failure.detail,
                ],
            )
            switch reply.string {
            case "postponed": return .postponed
            case "cancelled": return .cancelled
            case "exhausted": return .exhausted
            default: return .superseded
            }
        } catch {
            throw QueueFailure(error)
        }
    }

    package func promote(upTo count: Int) async throws(QueueFailure) -> Int {
        var promoted = 0
        for partition in 0..<store.keys.partitions {
            let keys = [store.keys.jobs(partition), store.keys.delayed(partition)]
            do {
                promoted += try await store.call(.promote, keys: keys, [String(count)]).integer ?? 0
            } catch {
                throw QueueFailure(error)
            }
        }
        return promoted
    }

    package func renew(_ deliveries: [JobDelivery]) async throws(QueueFailure) -> LeaseReport {
        var report = LeaseReport()
        for (partition, deliveries) in byPartition(deliveries) {
            var keys = [store.keys.jobs(partition)]
            for delivery in deliveries {
                keys += [store.keys.request(delivery.correlationID), store.keys.events(delivery.correlationID)]
            }
            let arguments = [Keyspace.group, consumer, String(terms.timeToLive.wholeMilliseconds)]
            do {
                let reply = try await store.call(.renew, keys: keys, arguments + deliveries.map(\.entry))
                for (delivery, answer) in zip(deliveries, reply.array ?? []) {
                    switch answer.string {
                    case "ok": break
                    case "lost": report.lost.append(delivery)
                    case let reason: report.cancelled.append((delivery, CancelReason(stored: reason)))
                    }
                }
            } catch {
                throw QueueFailure(error)
            }
        }
        return report
    }

    package func handBack(_ deliveries: [JobDelivery]) async throws(QueueFailure) {
        for (partition, deliveries) in byPartition(deliveries) {
            let keys = [store.keys.jobs(partition)] + deliveries.map { store.keys.request($0.correlationID) }
            let arguments = [Keyspace.group, consumer, String(Self.handedBackIdle.wholeMilliseconds)]
            do {
                _ = try await store.call(.handBack, keys: keys, arguments + deliveries.map(\.entry))
            } catch {
                throw QueueFailure(error)
            }
        }
    }

    // MARK: Membership

    package func leave() async { _ = try? await retire(idle: .zero, consumer) }

    package func removeSilentConsumers() async throws(QueueFailure) -> Int {
        do {
            return try await retire(idle: terms.consumerIdle, "")
        } catch {
            throw QueueFailure(error)
        }
    }

    private func retire(idle: Duration, _ consumer: String) async throws(RedisError) -> Int {
        var count = 0
        for partition in 0..<store.keys.partitions {
            let arguments = [Keyspace.group, String(idle.wholeMilliseconds), consumer]
            count += try await store.call(.retire, keys: [store.keys.jobs(partition)], arguments).integer ?? 0
        }
        return count
    }

    private func keys(of id: CorrelationID) -> [String] {
        [store.keys.jobs(store.keys.partition(of: id)), store.keys.request(id), store.keys.events(id)]
    }

    private func byPartition(_ deliveries: [JobDelivery]) -> [Int: [JobDelivery]] {
        Dictionary(grouping: deliveries) { store.keys.partition(of: $0.correlationID) }
    }
}

extension QueueFailure {
    init(_ error: RedisError) {
        switch error {
        case .cancelled, .closed: self = .cancelled
        case .server, .timedOut, .connectionLost, .notConnected, .overloaded: self = .unavailable
        }
    }
}

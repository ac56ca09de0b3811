package import Application
package import Domain
internal import EventLoop
package import RedisClient
internal import Shared
internal import Time

/// The worker's side of the job streams, as one consumer of the group.
package final class RedisMessageConsumer: MessageConsumer, QueueMembership {
    /// An idle time that makes an entry due for take-over at once.
    static let handedBackIdle = Duration.seconds(86_400)

    package struct Terms: Sendable {
        /// Silence after which a job is taken over.
        package var lease: Duration
        package var attemptsMax: Int
        /// Silence after which a consumer that owns nothing is forgotten; longer than any that a live worker has.
        package var consumerIdle: Duration

        /// Consumers are forgotten after ten leases, and not before five minutes.
        package init(lease: Duration, attemptsMax: Int) {
            self.lease = lease
            self.attemptsMax = attemptsMax
            consumerIdle = max(lease * 10, .seconds(300))
        }
    }

    /// Hears of job entries that no version of this program could run, and of those that only a later one can.
    package var onMalformedJob: ((_ entry: String) -> Void)?
    package var onLaterVersion: (() -> Void)?

    private let store: RedisStore
    private let reader: GroupReader
    private let consumer: String
    private let terms: Terms

    /// `consumer` is a name that no other consumer of the group has.
    package init(
        store: RedisStore,
        waiting configuration: RedisConfiguration,
        consumer: String,
        terms: Terms,
        observer: (any RedisObserver)? = nil
    ) {
        self.store = store
        self.consumer = consumer
        self.terms = terms
        reader = GroupReader(
            store: store,
            connecting: configuration,
            group: Keyspace.group,
            consumer: consumer,
            streams: (0..<store.keys.partitions).map { store.keys.jobs($0) },
            observer: observer,
        )
    }

    package func close() { reader.close() }

    // MARK: Taking

    package func receive(
        upTo count: Int,
        within limit: Duration = .seconds(2)
    ) async throws(QueueFailure) -> [JobDelivery] {
        // The reader's connection may be well while that for commands is not: jobs would be taken that cannot be claimed.
        if !store.commander.isConnected { try await waitForConnection() }
        var deliveries: [JobDelivery] = []
        for (partition, entries) in try await reader.read(upTo: count, within: limit) {
            do {
                deliveries += try await readable(entries, in: partition)
            } catch {
                throw QueueFailure(error)
            }
        }
        if deliveries.count > count { try await handBack(Array(deliveries[count...])) }
        return Array(deliveries.prefix(count))
    }

    /// Throws `unavailable` where there is no connection soon.
    private func waitForConnection() async throws(QueueFailure) {
        do {
            _ = try await store.call(RedisCommand("PING"))
        } catch {
            throw QueueFailure(error)
        }
    }

    package func stopWaiting() { reader.stopWaiting() }

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

    /// Puts aside what nobody can read, so that it does not come back for ever.
    private func readable(_ entries: [RedisValue], in partition: Int) async throws(RedisError) -> [JobDelivery] {
        var deliveries: [JobDelivery] = []
        for entry in entries {
            let job = JobEntry(entry)
            switch job {
            case .job(let delivery): deliveries.append(delivery)
            case .laterVersion: onLaterVersion?()  // Stays pending until a worker of that version takes it over.
            case .malformed(let name):
                onMalformedJob?(name)
                let dropped = try await store.call(
                    .deadLetterJob,
                    keys: [store.keys.jobs(partition), store.keys.dead(partition)],
                    [Keyspace.group, name, "malformed", String(store.retention.deadLetters), text(of: entry)],
                )
                store.tellDropped(dropped)
            }
        }
        return deliveries
    }

    /// An entry's fields as an operator reads them.
    private func text(of entry: RedisValue) -> String {
        (entry.array?.last?.fieldList ?? []).map { "\($0.name)=\($0.value)" }.joined(separator: " ")
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
                        String(store.retention.live.wholeMilliseconds), String(terms.attemptsMax),
                        plan.restartReason.rawValue,
                        EventData.started(plan).text, EventData.restarted(plan).text,
                    ] + (plan.trace.map { [$0.parent] } ?? []),
                ).array ?? []
        } catch {
            throw QueueFailure(error)
        }
        guard reply.count == 6, let attempt = reply[1].integer, let queued = reply[2].integer,
            let age = reply[4].integer
        else {
            if reply.first?.string == "expired" { store.onEnd?(.expired) }
            return .settled
        }
        guard let record = RequestHash.record(id, reply[3]) else {
            throw .refused(detail: "the request's record cannot be read")
        }
        func claim(_ answer: String) -> JobClaim {
            JobClaim(
                delivery: delivery,
                request: record.request,
                attempt: UInt64(attempt),
                cause: reply[5].string.flatMap { AttemptCause(rawValue: $0) } ?? .workerLost,
                queueMilliseconds: max(0, queued),
                ageMilliseconds: max(0, age),
                lastFailure: RequestHash.lastFailure(reply[3]),
                answer: answer,
                opensConversation: RequestHash.opensConversation(reply[3]),
                trace: plan.trace,
                earlierTrace: RequestHash.earlierAttempt(reply[3]),
            )
        }
        switch reply[0].string {
        case "claimed": return .claimed(claim(""))
        case "exhausted": return .exhausted(claim(try await answerSoFar(of: id)))
        case "cancelled":
            return .cancelled(claim(try await answerSoFar(of: id)), RequestHash.cancelReason(reply[3]))
        default: return .settled
        }
    }

    private func answerSoFar(of id: CorrelationID) async throws(QueueFailure) -> String {
        do {
            return try await StoredAnswer(store: store).text(of: id) ?? ""
        } catch {
            throw QueueFailure(error)
        }
    }

    package func finish(
        _ attempt: FinishedAttempt,
        at place: FinishPlace,
        letter: DeadLetterReason?
    ) async throws(QueueFailure) -> FinishResult {
        let id = attempt.claim.request.correlationID
        let sequence =
            switch place {
            case .id(let event): String(event.sequence)
            case .afterLast: ""
            }
        let retention = store.retention
        var arguments = [
            Keyspace.group, consumer, attempt.claim.delivery.entry, String(attempt.claim.attempt), sequence,
            attempt.outcome.eventName.rawValue, String(decoding: EventData.terminal(attempt, at: place), as: UTF8.self),
            id.description, attempt.outcome.status.rawValue, String(retention.afterEnd.wholeMilliseconds),
            String(retention.turns), String(retention.turnBytes), letter?.rawValue ?? "",
            String(retention.deadLetters), attempt.answer,
        ]
        arguments += RequestHash.fields(of: attempt)
        do {
            let scope = store.keys.scope(of: attempt.claim.request.conversationID)
            let dead = letter == nil ? [] : [store.keys.dead(store.keys.partition(of: id))]
            let reply = try await store.call(.finish, keys: scope + dead, arguments).array ?? []
            store.tellDropped(reply.last)
            switch reply.first?.string {
            case "finished": return .finished
            case "history_lost": return .historyLost
            default: return .superseded
            }
        } catch {
            throw QueueFailure(error)
        }
    }

    package func discard(_ delivery: JobDelivery, detail: String) async throws(QueueFailure) {
        let (id, keys) = (delivery.correlationID, store.keys)
        let partition = keys.partition(of: id)
        let failure = RequestFailure(
            kind: .internalError,
            detail: "What is known of this problem cannot be read any more. Please send it again.",
        )
        let data = EventData.failedBetweenAttempts(failure, id)
        // What there is of the answer; nothing where the events are what is broken.
        let answer = try? await StoredAnswer(store: store).text(of: id)
        do {
            let reply =
                try await store.call(
                    .failUnreadable,
                    keys: [
                        keys.jobs(partition), keys.dead(partition), keys.request(id), keys.events(id),
                        keys.unfinished(partition),
                    ],
                    [
                        Keyspace.group, delivery.entry, id.description, String(store.retention.deadLetters),
                        String(store.retention.afterEnd.wholeMilliseconds), keys.live(id), keys.ended(id), data.text,
                        failure.kind.rawValue, detail, String(store.retention.turns),
                        String(store.retention.turnBytes), answer ?? "",
                    ],
                ).array ?? []
            store.tellDropped(reply.last)
            if reply.first?.integer == 1 { store.onEnd?(.failed(failure.kind, after: .zero)) }
        } catch {
            throw QueueFailure(error)
        }
    }

    package func postpone(
        _ claim: JobClaim,
        for pause: Duration,
        _ reason: RestartReason,
        _ failure: RequestFailure,
        answer: String
    ) async throws(QueueFailure) -> PostponeResult {
        let id = claim.request.correlationID
        do {
            let reply = try await store.call(
                .scheduleRetry,
                keys: keys(of: id) + [store.keys.delayed(store.keys.partition(of: id))],
                [
                    Keyspace.group, consumer, claim.delivery.entry, String(claim.attempt),
                    String(pause.wholeMilliseconds), String(terms.attemptsMax), id.description,
                    claim.request.requestedProvider ?? "", reason.rawValue, failure.kind.rawValue, failure.detail,
                    answer,
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
            let keys = [store.keys.jobs(partition), store.keys.delayed(partition), store.keys.requests(partition)]
            do {
                promoted += try await store.call(.enqueueDue, keys: keys, [String(count)]).integer ?? 0
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
            let arguments = [Keyspace.group, consumer, String(store.retention.live.wholeMilliseconds)]
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
                _ = try await store.call(.release, keys: keys, arguments + deliveries.map(\.entry))
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
            count +=
                try await store.call(.removeIdleConsumers, keys: [store.keys.jobs(partition)], arguments).integer ?? 0
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
        case .server(let answer) where answer.isPermanent: self = .refused(detail: answer.message)
        case .server, .timedOut, .connectionLost, .notConnected, .overloaded: self = .unavailable
        }
    }
}

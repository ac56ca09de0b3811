package import Application
internal import Domain
internal import EventLoop
package import RedisClient
internal import Shared

/// The worker's side of the job streams, as one consumer of the group.
package final class RedisMessageConsumer: MessageConsumer, QueueMembership {
    package struct Terms: Sendable {
        /// Silence after which a job is taken over.
        package var lease: Duration
        package var attemptsMax: Int
        /// Silence after which a consumer that owns nothing is removed; longer than that of any live worker.
        package var consumerIdle: Duration

        /// Consumers are removed after ten leases, and not before five minutes.
        package init(lease: Duration, attemptsMax: Int) {
            self.lease = lease
            self.attemptsMax = attemptsMax
            consumerIdle = max(lease * 10, .seconds(300))
        }
    }

    let store: RedisStore
    let consumer: String
    let terms: Terms
    private let group: ConsumerGroup
    private let readers: [GroupReader]
    private let observer: (any StreamEntryObserver)?

    /// `consumer` is a name that no other consumer of the group has.
    package init(
        store: RedisStore,
        consumer: String,
        terms: Terms,
        observer: (any StreamEntryObserver)? = nil,
        connection: (any RedisObserver)? = nil
    ) {
        self.store = store
        self.consumer = consumer
        self.terms = terms
        self.observer = observer
        let group = ConsumerGroup.workers(store.keys)
        self.group = group
        readers = store.servers.map {
            GroupReader(store: store, server: $0, group: group, consumer: consumer, observer: connection)
        }
    }

    package func close() {
        for reader in readers { reader.close() }
    }

    // MARK: Receiving

    package func receive(
        upTo count: Int,
        within limit: Duration = .seconds(2)
    ) async throws(QueueFailure) -> [JobDelivery] {
        try await waitForConnections()
        var deliveries: [JobDelivery] = []
        for (partition, entries) in try await readers.read(upTo: count, within: limit) {
            deliveries += try await readable(entries, in: partition)
        }
        if deliveries.count > count { try await release(Array(deliveries[count...])) }
        return Array(deliveries.prefix(count))
    }

    /// A reader may be connected while the connection for commands is not: jobs would be received that cannot be claimed.
    private func waitForConnections() async throws(QueueFailure) {
        for server in store.servers {
            let connection = store.connection(of: server.partitions[0])
            if connection.isConnected { continue }
            do {
                _ = try await connection.call(RedisCommand("PING"))
            } catch {
                throw QueueFailure(error)
            }
        }
    }

    package func stopWaiting() {
        for reader in readers { reader.stopWaiting() }
    }

    package func takeOver(upTo count: Int) async throws(QueueFailure) -> [JobDelivery] {
        try await store.takeOver(upTo: count, in: group, to: consumer, after: terms.lease, reading: readable)
    }

    /// Dead-letters the entries that no release can run, so that they are not redelivered without end.
    private func readable(_ entries: [RedisValue], in partition: Int) async throws(QueueFailure) -> [JobDelivery] {
        var deliveries: [JobDelivery] = []
        for entry in entries {
            switch JobEntry(entry) {
            case .job(let delivery): deliveries.append(delivery)
            // Stays pending until a worker of that release takes it over.
            case .laterVersion: observer?.foundLaterVersion()
            case .malformed(let name):
                observer?.foundMalformed(entry: name)
                let dropped = try await store.queueCall(
                    DeadLetterJobCall(
                        name,
                        in: partition,
                        .malformed,
                        text: text(of: entry),
                        store.keys,
                        store.retention,
                    )
                )
                store.report(droppedDeadLetters: dropped)
            }
        }
        return deliveries
    }

    /// The fields of an entry, for operators.
    private func text(of entry: RedisValue) -> String {
        (entry.array?.last?.fieldList ?? []).map { "\($0.name)=\($0.value)" }.joined(separator: " ")
    }

    // MARK: Leases

    package func renew(_ deliveries: [JobDelivery]) async throws(QueueFailure) -> LeaseReport {
        var report = LeaseReport()
        for (partition, deliveries) in byPartition(deliveries) {
            let renewal = RenewCall(deliveries, of: consumer, in: partition, store.keys, store.retention)
            for (delivery, lease) in zip(deliveries, try await store.queueCall(renewal)) {
                switch lease {
                case .held: break
                case .lost: report.lost.append(delivery)
                case .cancelled(let reason): report.cancelled.append((delivery, reason))
                }
            }
        }
        return report
    }

    package func release(_ deliveries: [JobDelivery]) async throws(QueueFailure) {
        for (partition, deliveries) in byPartition(deliveries) {
            _ = try await store.queueCall(ReleaseCall(deliveries, of: consumer, in: partition, store.keys))
        }
    }

    private func byPartition(_ deliveries: [JobDelivery]) -> [Int: [JobDelivery]] {
        Dictionary(grouping: deliveries) { store.keys.partition(of: $0.correlationID) }
    }

    // MARK: Membership

    package func leave() async { _ = try? await removeConsumers(idleFor: .zero, named: consumer) }

    package func removeIdleConsumers() async throws(QueueFailure) -> Int {
        try await removeConsumers(idleFor: terms.consumerIdle)
    }

    private func removeConsumers(
        idleFor idle: Duration,
        named consumer: String? = nil
    ) async throws(QueueFailure) -> Int {
        var count = 0
        for partition in 0..<store.keys.partitions {
            count += try await store.queueCall(
                RemoveIdleConsumersCall(of: group, in: partition, idleFor: idle, named: consumer)
            )
        }
        return count
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

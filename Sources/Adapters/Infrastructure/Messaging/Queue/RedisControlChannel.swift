package import Domain
internal import EventLoop
package import RedisClient
package import Shared
internal import Text

/// Receives cancellations as soon as they are requested: the only subscription of a worker.
///
/// Delivery: at most once. The durable flag in the request's hash and the renewals of the lease cover what is lost here.
package final class RedisControlChannel: RedisSubscriberDelegate {
    private static let retryPause = Duration.seconds(1)
    private static let subscribeDeadline = Duration.seconds(5)

    private let store: RedisStore
    private var subscriber: (any PartitionSubscriber)?
    private let onCancel: (CorrelationID, CancelReason) -> Void

    package init(
        store: RedisStore,
        observer: (any RedisObserver)? = nil,
        onCancel: @escaping (CorrelationID, CancelReason) -> Void
    ) {
        self.store = store
        self.onCancel = onCancel
        subscriber = store.openSubscriber(delegate: self, observer: observer)
        for partition in 0..<store.keys.partitions { subscribe(in: partition) }
    }

    package func close() {
        subscriber?.close()
        subscriber = nil
    }

    private func subscribe(in partition: Int) {
        subscriber?.subscribe(
            to: store.keys.control(partition),
            in: partition,
            deadline: Self.subscribeDeadline,
        ) { [weak self] result in
            guard case .failure(let error) = result, error != .closed else { return }
            // A refusal comes back at once: without a pause both sides would be busy with retries.
            self?.store.loop.schedule(after: Self.retryPause) { [weak self] in self?.subscribe(in: partition) }
        }
    }

    /// A message is `cancel <id> <reason>`.
    package func subscriberDidReceive(_ payload: Span<UInt8>, on channel: Span<UInt8>) {
        let words = String(repairing: payload).split(separator: " ")
        guard words.count == 3, words[0] == "cancel", let id = CorrelationID(words[1]) else { return }
        onCancel(id, CancelReason(stored: String(words[2])))
    }

    package func subscriberDidLoseConnection() {}
    package func subscriberDidReconnect() {}
}

extension CancelReason {
    /// Reads what Redis stores; a reason of a later release counts as `requested`.
    init(stored text: String?) { self = text.flatMap { CancelReason(rawValue: $0) } ?? .requested }
}

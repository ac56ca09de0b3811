package import Domain
package import EventLoop
package import RedisClient
package import Shared

/// Reports cancellations to a worker's loop as soon as they are requested.
///
/// The only subscription of a worker. Delivery is at most once: the durable field in the request's hash, which each renewal
/// of the lease reads, makes up for a lost message.
package final class RedisControlChannel: RedisSubscriberDelegate {
    private static let retryPause = Duration.seconds(1)
    private static let subscribeDeadline = Duration.seconds(5)

    private let loop: Loop
    private var subscriber: RedisSubscriber?
    private let onCancel: (CorrelationID, CancelReason) -> Void
    private let keys: Keyspace

    package init(
        _ configuration: RedisConfiguration,
        keys: Keyspace,
        on loop: Loop,
        observer: (any RedisObserver)? = nil,
        onCancel: @escaping (CorrelationID, CancelReason) -> Void
    ) {
        self.loop = loop
        self.keys = keys
        self.onCancel = onCancel
        subscriber = RedisSubscriber(configuration, on: loop, delegate: self, observer: observer)
        subscribe()
    }

    package func close() {
        subscriber?.close()
        subscriber = nil
    }

    private func subscribe() {
        for partition in 0..<keys.partitions {
            subscribe(to: keys.control(partition))
        }
    }

    private func subscribe(to channel: String) {
        subscriber?.subscribe(to: channel, deadline: Self.subscribeDeadline) { [weak self] result in
            guard case .failure(let error) = result, error != .closed else { return }
            // A refusal is returned at once: a retry without a pause would keep both sides busy.
            self?.loop.schedule(after: Self.retryPause) { [weak self] in self?.subscribe(to: channel) }
        }
    }

    /// A message is `cancel <id> <reason>`.
    package func subscriberDidReceive(_ payload: UnsafeRawBufferPointer, on channel: UnsafeRawBufferPointer) {
        let words = String(decoding: payload, as: UTF8.self).split(separator: " ")
        guard words.count == 3, words[0] == "cancel", let id = CorrelationID(words[1]) else { return }
        onCancel(id, CancelReason(stored: String(words[2])))
    }

    package func subscriberDidLoseConnection() {}
    package func subscriberDidReconnect() {}
}

extension CancelReason {
    /// Reads what Redis holds; a reason of a later release counts as a request.
    init(stored text: String?) { self = text.flatMap { CancelReason(rawValue: $0) } ?? .requested }
}

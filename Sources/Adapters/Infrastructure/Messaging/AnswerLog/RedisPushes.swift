package import Application
internal import EventLoop
package import RedisClient
internal import Shared

/// The push connection of one loop of an API replica, and its three consumers: readers of answer logs, requests that wait
/// for an end, and readers that wait for the archive.
///
/// Only API replicas have one: a worker writes the log and reads nothing of it. Loop-owned.
package final class RedisPushes: RedisSubscriberDelegate {
    package let answers: RedisAnswerLogReader
    package let ends: RedisRequestEnds
    package let archiveNotices: RedisArchiveNotices
    private let keys: Keyspace
    private var subscriber: (any PartitionSubscriber)?

    /// `presence` reports this loop's viewers to the other replicas.
    package init(
        store: RedisStore,
        backoff: Backoff,
        presence: ViewerPresence? = nil,
        observer: (any RedisObserver)? = nil
    ) {
        keys = store.keys
        answers = RedisAnswerLogReader(store: store, backoff: backoff, presence: presence)
        ends = RedisRequestEnds(store: store, presence: presence)
        archiveNotices = RedisArchiveNotices(keys: keys, on: store.loop)
        let subscriber = store.openSubscriber(delegate: self, observer: observer)
        self.subscriber = subscriber
        answers.begin(subscriber)
        ends.begin(subscriber)
        archiveNotices.begin(subscriber)
    }

    package func close() {
        answers.close()
        ends.close()
        archiveNotices.close()
        subscriber?.close()
        subscriber = nil
    }

    package func subscriberDidReceive(_ payload: Span<UInt8>, on channel: Span<UInt8>) {
        switch keys.pushChannel(channel) {
        case .live(let id): answers.feeds[id]?.receive(payload)
        case .ended(let id): ends.receive(id)
        case .archived(let conversation): archiveNotices.receive(conversation)
        case nil: break
        }
    }

    package func subscriberDidLoseConnection() { answers.didLosePushes() }

    package func subscriberDidReconnect() {
        answers.didReconnect()
        ends.checkAll()
        archiveNotices.notifyAll()
    }
}

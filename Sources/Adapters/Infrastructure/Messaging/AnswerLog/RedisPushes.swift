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
    private let subscriber: RedisSubscriber
    private let keys: Keyspace

    /// `presence` reports this loop's viewers to the other replicas.
    package init(
        store: RedisStore,
        subscribing configuration: RedisConfiguration,
        backoff: Backoff,
        presence: ViewerPresence? = nil,
        observer: (any RedisObserver)? = nil
    ) {
        keys = store.keys
        subscriber = RedisSubscriber(configuration, on: store.loop, observer: observer)
        answers = RedisAnswerLogReader(store: store, subscriber: subscriber, backoff: backoff, presence: presence)
        ends = RedisRequestEnds(store: store, subscriber: subscriber, presence: presence)
        archiveNotices = RedisArchiveNotices(keys: keys, on: store.loop)
        archiveNotices.begin(subscriber)
        subscriber.delegate = self
    }

    package func close() {
        answers.close()
        ends.close()
        archiveNotices.close()
        subscriber.close()
    }

    package func subscriberDidReceive(_ payload: UnsafeRawBufferPointer, on channel: UnsafeRawBufferPointer) {
        switch keys.pushChannel(channel) {
        case .live(let id): answers.receive(payload, of: id)
        case .ended(let id): ends.receive(id)
        case .kept(let conversation): archiveNotices.receive(conversation)
        case nil: break
        }
    }

    package func subscriberDidLoseConnection() { answers.didLosePushes() }

    package func subscriberDidReconnect() {
        answers.didReconnect()
        ends.checkAll()
        archiveNotices.tellAll()
    }
}

package import Application
internal import EventLoop
internal import RedisClient
package import Shared

/// Receives notices that the persisters have archived records of conversations.
///
/// All readers of a conversation on one loop share one subscription. Loop-owned.
package final class RedisArchiveNotices: ArchiveNotices {
    /// How long a reader waits for its subscription; without one it polls.
    private static let subscribeDeadline = Duration.milliseconds(250)

    private let loop: Loop
    private let keys: Keyspace
    /// Nil before ``begin(_:)`` and after ``close()``.
    private var subscriber: (any PartitionSubscriber)?
    private var watches: [ConversationID: [ArchivedWatch]] = [:]

    init(keys: Keyspace, on loop: Loop) {
        self.keys = keys
        self.loop = loop
    }

    func begin(_ subscriber: (any PartitionSubscriber)?) { self.subscriber = subscriber }

    /// Wakes every reader; from now on they poll.
    func close() {
        notifyAll()
        subscriber = nil
    }

    package func watch(_ conversation: ConversationID) async -> any ArchiveWatch {
        let watch = ArchivedWatch(conversation, notices: self, loop: loop)
        guard let subscriber else {
            // Closed: nothing is pushed any more, so the reader polls.
            watch.notify()
            return watch
        }
        watches[conversation, default: []].append(watch)
        try? await subscriber.subscribe(
            to: keys.archived(conversation),
            in: keys.partition(of: conversation),
            deadline: Self.subscribeDeadline,
        )
        return watch
    }

    fileprivate func remove(_ watch: ArchivedWatch) {
        watches[watch.conversation]?.removeAll { $0 === watch }
        guard watches[watch.conversation]?.isEmpty == true else { return }
        watches[watch.conversation] = nil
        let partition = keys.partition(of: watch.conversation)
        subscriber?.unsubscribe(from: keys.archived(watch.conversation), in: partition)
    }

    func receive(_ conversation: ConversationID) {
        for watch in watches[conversation] ?? [] { watch.notify() }
    }

    /// Wakes every reader, because pushes may have been lost.
    func notifyAll() {
        for watch in watches.values.joined() { watch.notify() }
    }
}

/// One waiting reader.
private final class ArchivedWatch: ArchiveWatch {
    let conversation: ConversationID
    private let notices: RedisArchiveNotices
    private let loop: Loop
    private var isNotified = false
    private var wait: OneShot<Void>?

    init(_ conversation: ConversationID, notices: RedisArchiveNotices, loop: Loop) {
        self.conversation = conversation
        self.notices = notices
        self.loop = loop
    }

    func notify() {
        isNotified = true
        wait?.succeed(())
    }

    func next(within limit: Duration) async throws(CancellationError) {
        if !isNotified {
            let wait = OneShot<Void>(loop: loop)
            self.wait = wait
            let timer = loop.schedule(after: limit) { wait.succeed(()) }
            defer { timer.close() }
            try await wait.value()
        }
        isNotified = false
    }

    func close() { notices.remove(self) }
}

package import Application
internal import EventLoop
internal import RedisClient
package import Shared

/// Hears from Redis what the persisters have told the archive of conversations.
///
/// All readers of a conversation on one loop share one subscription. Loop-owned.
package final class RedisArchiveNotices: ArchiveNotices {
    /// How long a reader waits for its subscription, without which it looks now and then.
    private static let subscribeDeadline = Duration.milliseconds(250)

    private let loop: Loop
    private let keys: Keyspace
    /// Nil before ``begin(_:)`` and after ``close()``.
    private var subscriber: RedisSubscriber?
    private var watches: [ConversationID: [KeptWatch]] = [:]

    init(keys: Keyspace, on loop: Loop) {
        self.keys = keys
        self.loop = loop
    }

    func begin(_ subscriber: RedisSubscriber?) { self.subscriber = subscriber }

    /// Lets every reader look for itself.
    func close() {
        tellAll()
        subscriber = nil
    }

    package func watch(_ conversation: ConversationID) async -> any ArchiveWatch {
        let watch = KeptWatch(conversation, notices: self, loop: loop)
        guard let subscriber else {
            // Closed: nothing is pushed any more, so the reader looks for itself.
            watch.tell()
            return watch
        }
        watches[conversation, default: []].append(watch)
        try? await subscriber.subscribe(to: keys.kept(conversation), deadline: Self.subscribeDeadline)
        return watch
    }

    fileprivate func remove(_ watch: KeptWatch) {
        watches[watch.conversation]?.removeAll { $0 === watch }
        guard watches[watch.conversation]?.isEmpty == true else { return }
        watches[watch.conversation] = nil
        subscriber?.unsubscribe(from: keys.kept(watch.conversation))
    }

    func receive(_ conversation: ConversationID) {
        for watch in watches[conversation] ?? [] { watch.tell() }
    }

    /// Pushes may have been lost.
    func tellAll() {
        for watch in watches.values.joined() { watch.tell() }
    }
}

/// One reader that waits.
private final class KeptWatch: ArchiveWatch {
    let conversation: ConversationID
    private let notices: RedisArchiveNotices
    private let loop: Loop
    private var isTold = false
    private var wait: OneShot<Void>?

    init(_ conversation: ConversationID, notices: RedisArchiveNotices, loop: Loop) {
        self.conversation = conversation
        self.notices = notices
        self.loop = loop
    }

    func tell() {
        isTold = true
        wait?.succeed(())
    }

    func next(within limit: Duration) async throws(CancellationError) {
        if !isTold {
            let wait = OneShot<Void>(loop: loop)
            self.wait = wait
            let timer = loop.schedule(after: limit) { wait.succeed(()) }
            defer { timer.close() }
            try await wait.value()
        }
        isTold = false
    }

    func close() { notices.remove(self) }
}

package import Application
package import Domain
internal import EventLoop
internal import RedisClient
internal import Shared

/// Waits for the ends of requests on a channel of each request's own, to which the function library publishes its end: a
/// waiting request receives no token.
///
/// Replicas of releases before 1.2 publish nothing there, and a push can be lost. So each waiter also reads the request's
/// status: when its channel is confirmed, after a reconnect, and at growing pauses. Loop-owned.
package final class RedisRequestEnds: RequestEnds {
    static let subscribeDeadline = Duration.seconds(2)

    let store: RedisStore
    /// Nil before ``begin(_:)`` and after ``close()``.
    private var subscriber: (any PartitionSubscriber)?
    private let presence: ViewerPresence?
    private var waiters: [CorrelationID: [RedisRequestEndWaiter]] = [:]

    /// A waiting request counts as a viewer for `presence`.
    init(store: RedisStore, presence: ViewerPresence?) {
        self.store = store
        self.presence = presence
    }

    package func waiter(for request: MathRequest) -> any RequestEndWaiter {
        RedisRequestEndWaiter(request, ends: self)
    }

    func begin(_ subscriber: any PartitionSubscriber) { self.subscriber = subscriber }

    /// Ends every wait.
    func close() {
        for waiter in waiters.values.joined() { waiter.cancel() }
        subscriber = nil
    }

    func add(_ waiter: RedisRequestEndWaiter) {
        waiters[waiter.id, default: []].append(waiter)
        if waiter.isPresent { presence?.begin(waiter.id) }
        // The status is read behind the confirmation, so that no end falls between the two.
        let (channel, partition) = (store.keys.ended(waiter.id), store.keys.partition(of: waiter.id))
        guard let subscriber else { return waiter.check() }
        subscriber.subscribe(to: channel, in: partition, deadline: Self.subscribeDeadline) { [weak waiter] _ in
            waiter?.check()
        }
    }

    func remove(_ waiter: RedisRequestEndWaiter) {
        let id = waiter.id
        if waiter.isPresent { presence?.end(id) }
        waiters[id]?.removeAll { $0 === waiter }
        guard waiters[id]?.isEmpty == true else { return }
        waiters[id] = nil
        subscriber?.unsubscribe(from: store.keys.ended(id), in: store.keys.partition(of: id))
    }

    /// The end of a request was pushed.
    func receive(_ id: CorrelationID) {
        for waiter in waiters[id] ?? [] { waiter.didEnd() }
    }

    /// Pushes may have been lost.
    func checkAll() {
        for waiter in waiters.values.joined() { waiter.check() }
    }
}

/// One wait.
final class RedisRequestEndWaiter: RequestEndWaiter {
    /// Between two reads of the status; each pause is twice as long as the one before.
    private static let pauses = (first: Duration.milliseconds(125), last: Duration.seconds(1))

    let id: CorrelationID
    /// True where the waiter counts as a viewer of a request that is cancelled without viewers.
    let isPresent: Bool
    private let ends: RedisRequestEnds
    private let isOver: OneShot<Bool>
    private var isChecking = false
    private var pause = RedisRequestEndWaiter.pauses.first
    private var nextCheck: LoopTimer?

    init(_ request: MathRequest, ends: RedisRequestEnds) {
        id = request.correlationID
        isPresent = request.options.onDisconnect == .cancel
        isOver = OneShot(loop: ends.store.loop)
        self.ends = ends
    }

    func wait(within limit: Duration) async -> Bool {
        guard !isOver.isSettled else { return false }
        ends.add(self)
        let timeout = ends.store.loop.schedule(after: limit) { [isOver] in isOver.succeed(false) }
        defer {
            timeout.close()
            nextCheck?.close()
            ends.remove(self)
        }
        return (try? await isOver.value()) ?? false
    }

    func cancel() { isOver.succeed(false) }

    func didEnd() { isOver.succeed(true) }

    /// Reads the request's status.
    func check() {
        guard !isChecking, !isOver.isSettled else { return }
        isChecking = true
        nextCheck?.close()
        let command = RedisCommand("HGET", ends.store.keys.request(id), RequestField.status.rawValue)
        ends.store.connection(of: id).send(command) { [weak self] result in
            self?.didCheck(result)
        }
    }

    private func didCheck(_ result: Result<RedisValue, RedisError>) {
        isChecking = false
        guard !isOver.isSettled else { return }
        if case .success(let status) = result {
            // A request that has expired, or that Redis has lost, is over as well.
            if status.isNull { return didEnd() }
            if let status = status.string.flatMap({ RequestStatus(rawValue: $0) }), status.isTerminal {
                return didEnd()
            }
        }
        nextCheck = ends.store.loop.schedule(after: pause) { [weak self] in self?.check() }
        pause = min(pause * 2, Self.pauses.last)
    }
}

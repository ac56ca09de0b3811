internal import Application
internal import Domain
internal import EventLoop

/// Waits for the end of a request without looking at its text, as `Prefer: wait` does.
final class EndWaiter: AnswerViewer {
    private let isOver: OneShot<Bool>
    private let registry: StreamRegistry

    init(registry: StreamRegistry) {
        self.registry = registry
        isOver = OneShot(loop: registry.loop)
    }

    /// True when the request ended within `limit`; false also when the replica drains before.
    func wait(
        within limit: Duration,
        _ watch: (EndWaiter) -> any AnswerSubscription
    ) async -> Bool {
        guard registry.add(self) else { return false }
        let subscription = watch(self)
        let timer = registry.loop.schedule(after: limit) { [isOver] in isOver.succeed(false) }
        defer {
            timer.close()
            subscription.cancel()
            registry.remove(self)
        }
        return (try? await isOver.value()) ?? false
    }

    /// Stops waiting: the answer is wanted now, or by nobody any more.
    func giveUp() { isOver.succeed(false) }

    func hasRoom(for event: AnswerEvent) -> Bool { true }
    func deliver(_ event: AnswerEvent) {}
    func answerDidEnd(_ end: AnswerEnd) { isOver.succeed(true) }
}

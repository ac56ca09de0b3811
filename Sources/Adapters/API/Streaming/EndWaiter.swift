internal import Application
internal import Domain
internal import EventLoop

/// Waits for the end of a request without looking at its text, as `Prefer: wait` does.
final class EndWaiter: AnswerViewer {
    private let isOver: OneShot<Bool>
    private let loop: Loop
    private var subscription: (any AnswerSubscription)?

    init(loop: Loop) {
        self.loop = loop
        isOver = OneShot(loop: loop)
    }

    /// True when the request ended within `limit`.
    func wait(
        within limit: Duration,
        _ watch: (EndWaiter) -> any AnswerSubscription
    ) async -> Bool {
        let subscription = watch(self)
        self.subscription = subscription
        let timer = loop.schedule(after: limit) { [isOver] in isOver.succeed(false) }
        defer {
            timer.close()
            subscription.cancel()
        }
        return (try? await isOver.value()) ?? false
    }

    /// Stops waiting, because nobody waits for the answer any more.
    func giveUp() { isOver.succeed(false) }

    func hasRoom(for event: AnswerEvent) -> Bool { true }
    func deliver(_ event: AnswerEvent) {}
    func answerDidEnd(_ end: AnswerEnd) { isOver.succeed(true) }
}

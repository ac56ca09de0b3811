package import Application
internal import Domain
internal import EventLoop
package import Shared

extension RedisAnswerStream: RequestEnds {
    package func watchEnd(of record: RequestRecord, after cursor: EventID?) -> any EndWatch {
        EndViewer(of: record, after: cursor, in: self)
    }
}

/// Sees the end of a request and nothing of its text; subscribed while it waits.
private final class EndViewer: AnswerViewer, EndWatch {
    private let record: RequestRecord
    private let cursor: EventID?
    private let answers: RedisAnswerStream
    private let isOver: OneShot<Bool>

    init(of record: RequestRecord, after cursor: EventID?, in answers: RedisAnswerStream) {
        self.record = record
        self.cursor = cursor
        self.answers = answers
        isOver = OneShot(loop: answers.store.loop)
    }

    func wait(within limit: Duration) async -> Bool {
        guard !isOver.isSettled else { return false }
        let subscription = answers.watch(record, after: cursor, viewer: self)
        let timer = answers.store.loop.schedule(after: limit) { [isOver] in isOver.succeed(false) }
        defer {
            timer.close()
            subscription.cancel()
        }
        return (try? await isOver.value()) ?? false
    }

    func giveUp() { isOver.succeed(false) }

    func hasRoom(for event: AnswerEvent) -> Bool { true }
    func deliver(_ event: AnswerEvent) {}
    func answerDidEnd(_ end: AnswerEnd) { isOver.succeed(true) }
}

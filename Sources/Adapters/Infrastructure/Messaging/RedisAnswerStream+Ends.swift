package import Application
internal import Domain
internal import EventLoop
package import Shared

extension RedisAnswerStream: RequestEnds {
    package func waitForEnd(of record: RequestRecord, after cursor: EventID?, within limit: Duration) async {
        let viewer = EndViewer(on: store.loop)
        let subscription = watch(record, after: cursor, viewer: viewer)
        let timer = store.loop.schedule(after: limit) { viewer.isOver.succeed(()) }
        defer {
            timer.close()
            subscription.cancel()
        }
        try? await viewer.isOver.value()
    }
}

/// Sees the end of a request and nothing of its text.
private final class EndViewer: AnswerViewer {
    let isOver: OneShot<Void>

    init(on loop: Loop) { isOver = OneShot(loop: loop) }

    func hasRoom(for event: AnswerEvent) -> Bool { true }
    func deliver(_ event: AnswerEvent) {}
    func answerDidEnd(_ end: AnswerEnd) { isOver.succeed(()) }
}

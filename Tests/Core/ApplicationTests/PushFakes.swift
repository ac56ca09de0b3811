import Application
import Domain
import EventLoop
import Shared
import TestSupport

/// Loses every push: a wait takes its whole limit.
struct NoPushes: RequestEnds, ArchiveNotices {
    let clock: ManualClock

    func waiter(for request: MathRequest) -> any RequestEndWaiter { End(clock: clock) }

    func watch(_ conversation: ConversationID) async -> any ArchiveWatch { Watch(clock: clock) }

    private final class End: RequestEndWaiter {
        let clock: ManualClock
        init(clock: ManualClock) { self.clock = clock }
        func wait(within limit: Duration) async -> Bool {
            try? await clock.sleep(for: limit)
            return false
        }
        func cancel() {}
    }

    private final class Watch: ArchiveWatch {
        let clock: ManualClock
        init(clock: ManualClock) { self.clock = clock }
        func next(within limit: Duration) async throws(CancellationError) { try await clock.sleep(for: limit) }
        func close() {}
    }
}

/// Notifies when the test calls ``tell()``.
final class NoticesFake: ArchiveNotices {
    private let loop: Loop
    private var wait: OneShot<Void>?
    private(set) var watchCount = 0

    init(loop: Loop) { self.loop = loop }

    var isWaiting: Bool { wait != nil }

    func tell() { wait?.succeed(()) }

    func watch(_ conversation: ConversationID) async -> any ArchiveWatch {
        watchCount += 1
        return Watch(self)
    }

    private final class Watch: ArchiveWatch {
        let notices: NoticesFake
        init(_ notices: NoticesFake) { self.notices = notices }

        func next(within limit: Duration) async throws(CancellationError) {
            let wait = OneShot<Void>(loop: notices.loop)
            notices.wait = wait
            try await wait.value()
        }

        func close() { notices.watchCount -= 1 }
    }
}

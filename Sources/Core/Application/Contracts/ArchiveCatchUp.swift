internal import Shared

/// Waits for what is on its way to the archive, which is a moment behind.
package struct ArchiveCatchUp {
    /// How long a reader waits.
    private static let patience = Duration.seconds(1)
    /// How often it looks without a push, which can be lost.
    private static let checkPeriod = Duration.milliseconds(250)

    private let notices: any ArchiveNotices
    private let clock: any MonotonicClock

    package init(notices: any ArchiveNotices, clock: any MonotonicClock) {
        self.notices = notices
        self.clock = clock
    }

    /// Calls `look` until it returns something, first as soon as nothing that is kept can be missed, then after each
    /// push; nil where nothing came in time, or when the task is cancelled.
    func wait<Found, Failure: Error>(
        for conversation: ConversationID,
        _ look: () async throws(Failure) -> Found?
    ) async throws(Failure) -> Found? {
        let deadline = clock.now + Self.patience
        let watch = await notices.watch(conversation)
        defer { watch.close() }
        while true {
            if let found = try await look() { return found }
            let left = deadline - clock.now
            guard left > .zero, (try? await watch.next(within: min(left, Self.checkPeriod))) != nil else { return nil }
        }
    }
}

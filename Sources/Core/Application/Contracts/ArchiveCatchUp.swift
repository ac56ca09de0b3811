internal import Shared

/// Waits until the archive has a record that is on its way to it.
package struct ArchiveCatchUp {
    private static let waitLimit = Duration.seconds(1)
    /// Period of reads without a notification, which can be lost.
    private static let checkPeriod = Duration.milliseconds(250)

    private let notices: any ArchiveNotices
    private let clock: any MonotonicClock

    package init(notices: any ArchiveNotices, clock: any MonotonicClock) {
        self.notices = notices
        self.clock = clock
    }

    /// Calls `read` until it returns a value: first when the subscription to notifications is complete, then after each
    /// notification.
    ///
    /// Nil after the limit or when the task is cancelled.
    func wait<Found, Failure: Error>(
        for conversation: ConversationID,
        _ read: () async throws(Failure) -> Found?
    ) async throws(Failure) -> Found? {
        let deadline = clock.now + Self.waitLimit
        let watch = await notices.watch(conversation)
        defer { watch.close() }
        while true {
            if let found = try await read() { return found }
            let left = deadline - clock.now
            guard left > .zero, (try? await watch.next(within: min(left, Self.checkPeriod))) != nil else { return nil }
        }
    }
}

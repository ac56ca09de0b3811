package import Shared

/// Executes ``EraseAccount``.
///
/// ```
///  begin            the row is marked: credentials are rejected, the archive stores nothing of the account any more
///  conversations    page by page: end requests, erase their keys, then delete their rows; of those that the user had
///                   deleted the ids of requests are not known, so their keys are searched
///  dead letters     those that name the account
///  archive          wait for the records from before; the persister discards them and erases what they name
///  dead letters     those that such a record has become
///  account          usage and the row itself
/// ```
/// A conversation's rows are deleted after its keys: until then the archive lists it for the next try.
package struct EraseAccountHandler: CommandHandler {
    private static let page = 50
    private static let pause = Duration.milliseconds(50)
    /// How long an erasure rests before another replica resumes it.
    private static let idle = Duration.seconds(30)

    private let archive: any ArchiveErasure
    private let queue: any QueueErasure
    private let clock: any MonotonicClock
    private let withdrawalTime: Duration
    private let waitLimit: Duration

    /// `withdrawalTime` is how long replicas may take to learn that the account's credentials are withdrawn, so that nothing
    /// is added any more; `waitLimit` is how long one try waits for workers and for the archive.
    package init(
        archive: any ArchiveErasure,
        queue: any QueueErasure,
        clock: any MonotonicClock,
        withdrawalTime: Duration,
        waitLimit: Duration
    ) {
        self.archive = archive
        self.queue = queue
        self.clock = clock
        self.withdrawalTime = withdrawalTime
        self.waitLimit = waitLimit
    }

    package func handle(_ command: EraseAccount) async throws(RepositoryFailure) {
        let account = command.account
        guard try await archive.renew(account) else { return }
        guard (try? await clock.sleep(for: withdrawalTime)) != nil else { throw .unavailable }
        let deadline = clock.now + waitLimit
        try await repeatedly(until: deadline) { () async throws(RepositoryFailure) in
            try await eraseConversations(of: account)
        }
        try await eraseDeadLetters(of: account, until: deadline)
        let places = try await queue.newestRecords()
        try await repeatedly(until: deadline) { () async throws(RepositoryFailure) in
            try await queue.hasArchived(places)
        }
        try await eraseDeadLetters(of: account, until: deadline)
        guard try await archive.complete(account) else { throw .unavailable }
    }

    /// False while workers still have to end requests.
    private func eraseConversations(of account: AccountID) async throws(RepositoryFailure) -> Bool {
        var isComplete = true
        var deleted: [ErasedConversation] = []
        var page: [ErasedConversation] = []
        repeat {
            page = try await archive.conversations(of: account, after: page.last?.id, limit: Self.page)
            var erased: [ErasedConversation] = []
            for conversation in page where try await queue.erase(conversation) { erased.append(conversation) }
            if erased.count < page.count { isComplete = false }
            deleted += erased.filter { $0.deletedAt != nil }
            try await delete(erased.filter { $0.deletedAt == nil }, of: account)
            _ = try await archive.renew(account)
        } while page.count == Self.page
        if !deleted.isEmpty { try await queue.eraseStrays(of: deleted) }
        try await delete(deleted, of: account)
        return isComplete
    }

    private func delete(
        _ conversations: [ErasedConversation],
        of account: AccountID
    ) async throws(RepositoryFailure) {
        guard !conversations.isEmpty else { return }
        try await archive.delete(conversations.map(\.id), of: account)
    }

    private func eraseDeadLetters(of account: AccountID, until deadline: Duration) async throws(RepositoryFailure) {
        try await repeatedly(until: deadline) { () async throws(RepositoryFailure) in
            try await queue.eraseDeadLetters(of: account)
        }
    }

    /// Calls `step` until it returns true.
    private func repeatedly(
        until deadline: Duration,
        _ step: () async throws(RepositoryFailure) -> Bool
    ) async throws(RepositoryFailure) {
        while try await !step() {
            guard clock.now < deadline, (try? await clock.sleep(for: Self.pause)) != nil else { throw .unavailable }
        }
    }
}

extension EraseAccountHandler: AccountErasure {
    package func begin(_ account: AccountID, at time: Timestamp) async throws(RepositoryFailure) -> Bool {
        try await archive.begin(account, at: time)
    }

    package func pending() async throws(RepositoryFailure) -> [AccountID] {
        try await archive.claimPending(idleFor: Self.idle)
    }

    package func resume(_ account: AccountID) async throws(RepositoryFailure) {
        try await handle(EraseAccount(account: account))
    }
}

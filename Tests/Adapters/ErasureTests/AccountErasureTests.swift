import Application
import Domain
import EventLoop
import Infrastructure
import Persistence
import RedisClient
import Shared
import TestSupport
import Testing

@Suite("Erased accounts, in Redis and PostgreSQL together", .tags(.integration), .timeLimit(.minutes(5)))
struct AccountErasureTests {
    /// How many conversations an account gets: with an answer, and still going on.
    private struct Plan {
        let account: AccountID
        let ended: Int
        let open: Int

        /// Every tenth is an end user's.
        func user(_ number: Int) -> UserID {
            number % 10 == 9 ? UserID(endUser: "ada \(number % 3)", of: account) : UserID(account)
        }

        var conversations: Int { ended + 2 + open + 1 + 2 + open }
        /// All requests but that of the deleted conversation: in every other open conversation a second one waits.
        var requests: Int { ended + 2 + 2 + 2 * (open + (open + 1) / 2) }
    }

    /// Conversations of every kind: archived, given up, running, waiting, deleted; then some that only Redis has.
    private func fill(_ plans: [Plan], _ bench: ErasureBench) async throws {
        bench.startPersister()
        for plan in plans {
            for number in 0..<plan.ended { _ = try await bench.submitEnded(by: plan.user(number)) }
            for number in 8..<10 { _ = try await bench.submitEnded(by: plan.user(number), letter: .attemptsExhausted) }
            for number in 0..<plan.open {
                let running = try await bench.submitRunning(by: plan.user(number))
                if number % 2 == 0 { try await bench.submit(by: running.userID, after: running) }
            }
            try await bench.submitDeleted(by: plan.user(0))
        }
        try await bench.stopPersister()
        for plan in plans {
            for number in 8..<10 { _ = try await bench.submitEnded(by: plan.user(number)) }
            if plan.account == plans[0].account { try await bench.deadLetterRecords(1) }
        }
        // No worker receives these: their jobs wait.
        for plan in plans {
            for number in 0..<plan.open {
                let waiting = try await bench.submit(by: plan.user(number))
                if number % 2 == 0 { try await bench.submit(by: waiting.userID, after: waiting) }
            }
        }
    }

    @Test("of an account with 1,000 conversations nothing is left in any key or row, and another one is as it was")
    func whole() async throws {
        try await withErasure { bench in
            let ada = Plan(account: try await bench.addAccount("ada"), ended: 875, open: 60)
            let bob = Plan(account: try await bench.addAccount("bob"), ended: 20, open: 3)
            #expect(ada.conversations == 1000)
            try await fill([ada, bob], bench)
            let before = try await bench.inventory(of: bob.account)
            #expect(before.requests > 10 && before.conversations > 10 && before.letters == 2)
            let record = try await lateRecord(of: ada.account, bench)
            #expect(try await bench.mentions(of: ada.account.description).count > 1000)

            bench.startWorker()
            bench.startPersister()
            let handler = bench.handler()
            #expect(try await handler.begin(ada.account, at: SystemClock().now()))
            let start = ContinuousClock.now
            try await handler.resume(ada.account)
            print("an account with \(ada.conversations) conversations is erased in \(ContinuousClock.now - start)")
            try await bench.waitForArchive()
            let left = try await bench.mentions(of: ada.account.description)
            #expect(left.isEmpty, "\(left)")
            #expect(try await handler.pending().isEmpty)
            #expect(try await bench.inventory(of: bob.account) == before)
            let rows = "SELECT count(*) FROM math_requests WHERE user_id LIKE '\(bob.account)%'"
            #expect(try bench.database.sql(rows) == "\(bob.requests)")
            #expect(try bench.database.sql("SELECT count(*) FROM math_requests") == "\(bob.requests)")

            for _ in 0..<2 {
                try await bench.redis(["XADD", record.key, "*"] + record.fields)
                try await bench.waitForArchive()
                #expect(try await bench.mentions(of: ada.account.description).isEmpty, "nothing comes back")
            }
        }
    }

    /// A record of the account that waits for the archive, to be written again later.
    private func lateRecord(
        of account: AccountID,
        _ bench: ErasureBench
    ) async throws -> (key: String, fields: [String]) {
        for partition in 0..<4 {
            let key = "lemma:{p\(partition)}:finished"
            for entry in try await bench.redis(["XRANGE", key, "-", "+"]).array ?? [] {
                let fields = entry.array?.last?.array?.compactMap(\.string) ?? []
                if fields.contains("finished"), fields.contains(account.description) { return (key, fields) }
            }
        }
        throw NeverHappened(what: "a record of an end")
    }

    @Test("interrupted again and again, one call later each time, it is completed all the same")
    func interrupted() async throws {
        try await withErasure { bench in
            let ada = try await bench.addAccount("ada")
            try await fill([Plan(account: ada, ended: 20, open: 4)], bench)
            bench.startWorker()
            bench.startPersister()
            let steps = Interruptions(
                archive: PostgresArchiveErasure(bench.access),
                queue: RedisQueueErasure(store: bench.store),
            )
            let handler = bench.handler(steps, steps)
            #expect(try await handler.begin(ada, at: SystemClock().now()))
            var tries = 0
            while try await PostgresArchiveErasure(bench.access).isPending(ada) {
                tries += 1
                steps.callsLeft = tries
                try? await handler.resume(ada)
                #expect(tries < 1000)
            }
            #expect(tries > 10)
            try await bench.waitForArchive()
            let left = try await bench.mentions(of: ada.description)
            #expect(left.isEmpty, "\(left)")
        }
    }

    @Test(
        "what is submitted after the beginning, by a replica that does not know of it yet, is erased as its record comes"
    )
    func submittedLate() async throws {
        try await withErasure { bench in
            let ada = try await bench.addAccount("ada")
            try await fill([Plan(account: ada, ended: 3, open: 0)], bench)
            bench.startWorker()
            bench.startPersister()
            let handler = bench.handler()
            #expect(try await handler.begin(ada, at: SystemClock().now()))
            _ = try await bench.submit(by: UserID(ada))
            try await handler.resume(ada)
            // Also when nothing is left of the account.
            let late = try await bench.submit(by: UserID(endUser: "bob", of: ada))
            try await bench.submit(by: late.userID, after: late)
            try await bench.waitForArchive()
            let left = try await bench.mentions(of: ada.description)
            #expect(left.isEmpty, "\(left)")
        }
    }
}

/// The two stores, which fail after so many calls.
private final class Interruptions: ArchiveErasure, QueueErasure {
    private let archive: any ArchiveErasure
    private let queue: any QueueErasure
    /// Calls that work before all others fail; nil for all.
    var callsLeft: Int?

    init(archive: any ArchiveErasure, queue: any QueueErasure) {
        self.archive = archive
        self.queue = queue
    }

    private func step() throws(RepositoryFailure) {
        guard let left = callsLeft else { return }
        callsLeft = left - 1
        if left <= 0 { throw .unavailable }
    }

    func begin(_ account: AccountID, at time: Timestamp) async throws(RepositoryFailure) -> Bool {
        try await archive.begin(account, at: time)
    }

    func claimPending(idleFor idle: Duration) async throws(RepositoryFailure) -> [AccountID] {
        try await archive.claimPending(idleFor: idle)
    }

    func isPending(_ account: AccountID) async throws(RepositoryFailure) -> Bool {
        try await archive.isPending(account)
    }

    func renew(_ account: AccountID) async throws(RepositoryFailure) -> Bool {
        try step()
        return try await archive.renew(account)
    }

    func conversations(
        of account: AccountID,
        after place: ConversationID?,
        limit: Int
    ) async throws(RepositoryFailure) -> [ErasedConversation] {
        try step()
        return try await archive.conversations(of: account, after: place, limit: limit)
    }

    func delete(_ conversations: [ConversationID], of account: AccountID) async throws(RepositoryFailure) {
        try step()
        try await archive.delete(conversations, of: account)
    }

    func complete(_ account: AccountID) async throws(RepositoryFailure) -> Bool {
        try step()
        return try await archive.complete(account)
    }

    func erase(_ conversation: ErasedConversation) async throws(RepositoryFailure) -> Bool {
        try step()
        return try await queue.erase(conversation)
    }

    func eraseStrays(of conversations: [ErasedConversation]) async throws(RepositoryFailure) {
        try step()
        try await queue.eraseStrays(of: conversations)
    }

    func eraseDeadLetters(of account: AccountID) async throws(RepositoryFailure) -> Bool {
        try step()
        return try await queue.eraseDeadLetters(of: account)
    }

    func newestRecords() async throws(RepositoryFailure) -> RecordPlaces {
        try step()
        return try await queue.newestRecords()
    }

    func hasArchived(_ places: RecordPlaces) async throws(RepositoryFailure) -> Bool {
        try step()
        return try await queue.hasArchived(places)
    }
}

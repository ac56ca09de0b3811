import Application
import Domain
import EventLoop
import Shared
import TestSupport
import Testing

/// What the archive and the queue's store have of one account, and where they stop working.
private final class ErasureFake: ArchiveErasure, QueueErasure {
    static let account: AccountID = AccountID(bits: UUIDBits(high: 0x7000, low: 7))

    var hasBegun = true
    var rows: [ConversationID] = []
    /// Keys of conversations.
    var keys: Set<ConversationID> = []
    /// Conversations that the user deleted, and those of them of which keys are left.
    var deleted: Set<ConversationID> = []
    var strays: Set<ConversationID> = []
    /// Calls of `erase` before the workers have ended what runs in a conversation.
    var running: [ConversationID: Int] = [:]
    var letters = 0
    /// Calls of `hasArchived` before the archive has caught up.
    var backlog = 0
    /// Called once the archive has caught up.
    var onArchived: () -> Void = {}
    /// Calls that work before one fails; nil for all.
    var callsLeft: Int?
    private(set) var calls: [String] = []
    private(set) var isErased = false

    private func step(_ name: String) throws(RepositoryFailure) {
        calls.append(name)
        guard let left = callsLeft else { return }
        callsLeft = left - 1
        if left <= 0 { throw .unavailable }
    }

    // MARK: ArchiveErasure

    func begin(_ account: AccountID, at time: Timestamp) async throws(RepositoryFailure) -> Bool {
        try step("begin")
        hasBegun = true
        return true
    }

    func claimPending(idleFor idle: Duration) async throws(RepositoryFailure) -> [AccountID] { [] }
    func isPending(_ account: AccountID) async throws(RepositoryFailure) -> Bool { !isErased }

    func renew(_ account: AccountID) async throws(RepositoryFailure) -> Bool {
        try step("renew")
        return hasBegun && !isErased
    }

    func conversations(
        of account: AccountID,
        after place: ConversationID?,
        limit: Int
    ) async throws(RepositoryFailure) -> [ErasedConversation] {
        try step("list")
        let following = rows.filter { id in place.map { id.bits.low > $0.bits.low } ?? true }
        return following.prefix(limit).map { id in
            ErasedConversation(
                id: id,
                user: UserID(account),
                requests: [],
                deletedAt: deleted.contains(id) ? Timestamp(milliseconds: 0) : nil,
            )
        }
    }

    func delete(_ conversations: [ConversationID], of account: AccountID) async throws(RepositoryFailure) {
        try step("delete")
        let isUnled = keys.isDisjoint(with: conversations) && strays.isDisjoint(with: conversations)
        #expect(isUnled, "rows are deleted after the keys that they lead to")
        rows.removeAll { conversations.contains($0) }
    }

    func complete(_ account: AccountID) async throws(RepositoryFailure) -> Bool {
        try step("complete")
        guard rows.isEmpty else { return false }
        #expect(keys.isEmpty && strays.isEmpty && letters == 0 && backlog == 0, "the account goes last")
        isErased = true
        return true
    }

    // MARK: QueueErasure

    func erase(_ conversation: ErasedConversation) async throws(RepositoryFailure) -> Bool {
        try step("erase")
        let left = running[conversation.id] ?? 0
        running[conversation.id] = left - 1
        guard left <= 0 else { return false }
        keys.remove(conversation.id)
        return true
    }

    func eraseStrays(of conversations: [ErasedConversation]) async throws(RepositoryFailure) {
        try step("strays")
        #expect(conversations.allSatisfy { deleted.contains($0.id) && rows.contains($0.id) })
        strays.subtract(conversations.map(\.id))
    }

    func eraseDeadLetters(of account: AccountID) async throws(RepositoryFailure) -> Bool {
        try step("letters")
        letters = 0
        return true
    }

    func newestRecords() async throws(RepositoryFailure) -> RecordPlaces {
        try step("newest")
        return RecordPlaces(["7-0"])
    }

    func hasArchived(_ places: RecordPlaces) async throws(RepositoryFailure) -> Bool {
        try step("archived")
        #expect(places == RecordPlaces(["7-0"]))
        guard backlog > 0 else { return true }
        backlog -= 1
        if backlog == 0 { onArchived() }
        return false
    }
}

@Suite("Erasing an account", .tags(.unit))
struct EraseAccountTests {
    private static func ids(_ numbers: ClosedRange<UInt64>) -> [ConversationID] {
        numbers.map { ConversationID(bits: UUIDBits(high: 0x7000, low: $0)) }
    }

    private static func fill(_ fake: ErasureFake) {
        fake.rows = ids(1...120)
        fake.keys = Set(fake.rows)
        fake.deleted = [fake.rows[5], fake.rows[60]]
        fake.strays = fake.deleted
        fake.running = [fake.rows[3]: 2, fake.rows[60]: 1, fake.rows[110]: 1]
        fake.letters = 1
        fake.backlog = 3
        // Such as a record that the archive refused.
        fake.onArchived = { fake.letters = 1 }
    }

    private func withHandler(
        waitLimit: Duration = .seconds(10),
        _ body: @escaping @Sendable (EraseAccountHandler, ErasureFake, ManualClock) async throws -> Void
    ) async throws {
        try await onLoop { loop in
            let fake = ErasureFake()
            Self.fill(fake)
            let clock = ManualClock(loop: loop, isAutomatic: true)
            let handler = EraseAccountHandler(
                archive: fake,
                queue: fake,
                clock: clock,
                withdrawalTime: .zero,
                waitLimit: waitLimit
            )
            try await body(handler, fake, clock)
        }
    }

    @Test("all pages go, running requests and the archive are waited for, the account goes last")
    func whole() async throws {
        try await withHandler { handler, fake, _ in
            try await handler.resume(ErasureFake.account)
            #expect(fake.isErased && fake.rows.isEmpty && fake.keys.isEmpty && fake.letters == 0)
            // Three pages, then what was left of them, twice.
            #expect(fake.calls.filter { $0 == "list" }.count == 5)
            #expect(fake.calls.filter { $0 == "erase" }.count == 120 + 4)
            #expect(fake.calls.filter { $0 == "strays" }.count == 2)
            let last = fake.calls.count
            try await handler.resume(ErasureFake.account)
            #expect(fake.calls.count == last + 1, "there is nothing more to do")
        }
    }

    @Test("an interruption after any step is made good by the next try, and nothing is done out of order")
    func interrupted() async throws {
        try await withHandler { handler, fake, _ in
            try await handler.resume(ErasureFake.account)
            let steps = fake.calls.count
            for step in 0..<steps {
                try await withHandler { handler, fake, _ in
                    fake.callsLeft = step
                    await #expect(throws: RepositoryFailure.unavailable) {
                        try await handler.resume(ErasureFake.account)
                    }
                    #expect(!fake.isErased && fake.calls.count == step + 1)
                    fake.callsLeft = nil
                    try await handler.resume(ErasureFake.account)
                    #expect(fake.isErased && fake.rows.isEmpty && fake.keys.isEmpty && fake.letters == 0)
                }
            }
        }
    }

    @Test("a worker or an archive that does not come within the limit ends the try, and no later step is taken")
    func limit() async throws {
        try await withHandler(waitLimit: .seconds(2)) { handler, fake, clock in
            fake.running[fake.rows[0]] = 1_000_000
            let start = clock.now
            await #expect(throws: RepositoryFailure.unavailable) { try await handler.resume(ErasureFake.account) }
            #expect(clock.now - start <= .seconds(3))
            #expect(fake.rows.count == 1, "the others are gone")
            #expect(!fake.calls.contains("letters"))
            fake.running = [:]
            fake.backlog = 1_000_000
            await #expect(throws: RepositoryFailure.unavailable) { try await handler.resume(ErasureFake.account) }
            #expect(!fake.calls.contains("complete"))
        }
    }

    @Test("conversations that come while it goes on keep the account until the next try")
    func lateRows() async throws {
        try await withHandler { handler, fake, _ in
            fake.onArchived = { fake.rows = Self.ids(200...200) }
            await #expect(throws: RepositoryFailure.unavailable) { try await handler.resume(ErasureFake.account) }
            #expect(!fake.isErased)
            try await handler.resume(ErasureFake.account)
            #expect(fake.isErased)
        }
    }

    @Test("what has not begun is not erased")
    func notBegun() async throws {
        try await withHandler { handler, fake, _ in
            fake.hasBegun = false
            try await handler.resume(ErasureFake.account)
            #expect(!fake.isErased && fake.rows.count == 120)
            #expect(try await handler.begin(ErasureFake.account, at: Timestamp(milliseconds: 0)))
            try await handler.resume(ErasureFake.account)
            #expect(fake.isErased)
        }
    }
}

import Application
import ArchiveSupport
import Domain
import EventLoop
import Shared
import TestSupport
import Testing

/// Records what was ended, and whether the conversation was still archived then.
private final class ActivityFake: ConversationActivity {
    var isKnown = false
    var isAway = false
    private(set) var ended: [ConversationID] = []
    private(set) var wasKeptThen: [Bool] = []
    var deletedBy: UserID?
    var knownTo: UserID?
    private let archive: InMemoryArchive

    init(_ archive: InMemoryArchive) { self.archive = archive }

    func beginDeletion(of id: ConversationID, by user: UserID, isArchived: Bool) async throws(RepositoryFailure) -> Bool
    {
        if isAway { throw .unavailable }
        ended.append(id)
        wasKeptThen.append(try await archive.find(id, of: user) != nil)
        return isKnown
    }

    func recent(_ id: ConversationID, of user: UserID) async throws(RepositoryFailure) -> RecentConversation {
        if isAway { throw .unavailable }
        return user == deletedBy ? .deleted : user == knownTo ? .known : .unknown
    }
}

@Suite("What is done with conversations", .tags(.unit))
struct ConversationUseCaseTests {
    private let mine = Samples(user: UserID("ada"), number: 1)

    // MARK: Deleting

    @Test("running requests are ended before the conversation is deleted; a failure in between can be repeated")
    func delete() async throws {
        let archive = emptyArchive()
        try await archive.create(mine.conversation())
        let activity = ActivityFake(archive)
        let handler = DeleteConversationHandler(conversations: archive, activity: activity, clock: FixedWallClock())
        let command = DeleteConversation(id: mine.conversationID, userID: mine.user)
        activity.isAway = true
        await #expect(throws: DeleteConversation.Failure.unavailable) { try await handler.handle(command) }
        #expect(try await archive.find(mine.conversationID, of: mine.user) != nil)
        activity.isAway = false
        try await handler.handle(command)
        #expect(activity.ended == [mine.conversationID] && activity.wasKeptThen == [true])
        await #expect(throws: DeleteConversation.Failure.notFound) { try await handler.handle(command) }
    }

    @Test("nothing is ended while the archive is unavailable; a conversation that is only in Redis can be deleted, too")
    func deleteEarly() async throws {
        let archive = emptyArchive()
        let activity = ActivityFake(archive)
        activity.isKnown = true
        let handler = DeleteConversationHandler(conversations: archive, activity: activity, clock: FixedWallClock())
        let command = DeleteConversation(id: mine.conversationID, userID: mine.user)
        archive.isAway = true
        await #expect(throws: DeleteConversation.Failure.unavailable) { try await handler.handle(command) }
        #expect(activity.ended.isEmpty)
        archive.isAway = false
        try await handler.handle(command)
        try await archive.add([.finished(mine.finished(1, at: 0))])
        #expect(try await archive.find(mine.conversationID, of: mine.user) == nil)
    }

    // MARK: Reading what was just written

    @Test("a reader waits a moment for a conversation that was just opened, and not for an old one")
    func fresh() async throws {
        try await onLoop { loop in
            let archive = emptyArchive()
            let clock = ManualClock(loop: loop, isAutomatic: true)
            let now = FixedWallClock()
            let handler = ReadConversationHandler(
                lookup: lookup(archive, clock)
            )
            let old = Samples(user: UserID("ada"), number: 1).conversationID
            await #expect(throws: ReadConversation.Failure.notFound) {
                _ = try await handler.handle(ReadConversation(id: old, userID: UserID("ada")))
            }
            #expect(clock.sleeps.isEmpty)
            let random = FixedRandom.half
            let fresh: ConversationID = IdentifierFactory(clock: now, random: random).make()
            await #expect(throws: ReadConversation.Failure.notFound) {
                _ = try await handler.handle(ReadConversation(id: fresh, userID: UserID("ada")))
            }
            #expect(clock.sleeps.count == 4)
        }
    }

    @Test("a conversation that its user has just deleted is not waited for; without the queue's store it is")
    func justDeleted() async throws {
        try await onLoop { loop in
            let archive = emptyArchive()
            let clock = ManualClock(loop: loop, isAutomatic: true)
            let activity = ActivityFake(archive)
            activity.deletedBy = UserID("ada")
            let lookup = lookup(archive, clock, activity)
            let id: ConversationID = IdentifierFactory(clock: FixedWallClock(), random: FixedRandom.half).make()
            let handler = ReadConversationHandler(lookup: lookup)
            await #expect(throws: ReadConversation.Failure.notFound) {
                _ = try await handler.handle(ReadConversation(id: id, userID: UserID("ada")))
            }
            #expect(clock.sleeps.isEmpty)
            await #expect(throws: ReadConversation.Failure.notFound) {
                _ = try await handler.handle(ReadConversation(id: id, userID: UserID("bob")))
            }
            #expect(clock.sleeps.count == 4, "another user cannot tell it from one that never was")
            activity.isAway = true
            await #expect(throws: ReadConversation.Failure.notFound) {
                _ = try await handler.handle(ReadConversation(id: id, userID: UserID("ada")))
            }
            #expect(clock.sleeps.count == 8)
        }
    }

    @Test("a conversation that only the queue's store knows is unavailable, however old; to another user it is unknown")
    func notArchivedYet() async throws {
        try await onLoop { loop in
            let archive = emptyArchive()
            let clock = ManualClock(loop: loop, isAutomatic: true)
            let activity = ActivityFake(archive)
            activity.knownTo = UserID("ada")
            let handler = ReadConversationHandler(lookup: lookup(archive, clock, activity))
            let old = Samples(user: UserID("ada"), number: 1).conversationID
            await #expect(throws: ReadConversation.Failure.unavailable) {
                _ = try await handler.handle(ReadConversation(id: old, userID: UserID("ada")))
            }
            #expect(clock.sleeps.count == 4)
            await #expect(throws: ReadConversation.Failure.notFound) {
                _ = try await handler.handle(ReadConversation(id: old, userID: UserID("bob")))
            }
        }
    }

    @Test("the newest page waits for an answer that is over, at most a moment; older pages do not")
    func caughtUp() async throws {
        let mine = mine
        try await onLoop { loop in
            let archive = emptyArchive()
            try await archive.add([.finished(mine.finished(1, at: 0)), mine.submitted(2, at: 1)])
            let memory = MemoryFake()
            memory.recalled = KnownTurns(
                turns: [ConversationTurn(correlationID: mine.request(2).correlationID, problem: "p", answer: "a")],
                isWhole: true,
            )
            let clock = ManualClock(loop: loop, isAutomatic: true)
            let requests = RepositoryFake()
            let handler = ListMessagesHandler(
                conversations: archive,
                lookup: lookup(archive, clock),
                requests: requests,
                memory: memory,
                catchUp: catchUp(clock),
            )
            let query = ListMessages(id: mine.conversationID, userID: mine.user, place: nil, size: .standard)
            #expect(try await handler.handle(query).items.map(\.role) == [.user, .assistant, .user])
            #expect(clock.sleeps.count == 4)
            let place = MessagePlace(
                request: RequestPlace(createdAt: Samples.time(1), id: mine.request(2).correlationID),
                role: .user,
            )
            let older = ListMessages(id: mine.conversationID, userID: mine.user, place: place, size: .standard)
            #expect(try await handler.handle(older).items.map(\.role) == [.user, .assistant])
            #expect(clock.sleeps.count == 4)
            try await archive.add([.finished(mine.finished(2, at: 1))])
            #expect(try await handler.handle(query).items.count == 4)
            #expect(clock.sleeps.count == 4)
            memory.failures = 1
            #expect(try await handler.handle(query).items.count == 4)
        }
    }

    @Test("what is kept while a reader waits is read at once")
    func pushed() async throws {
        let mine = mine
        try await onLoop { loop in
            let archive = emptyArchive()
            try await archive.add([mine.submitted(1, at: 0)])
            let memory = MemoryFake()
            memory.recalled = KnownTurns(
                turns: [ConversationTurn(correlationID: mine.request(1).correlationID, problem: "p", answer: "a")],
                isWhole: true,
            )
            let notices = NoticesFake(loop: loop)
            let clock = ManualClock(loop: loop)
            let catchUp = ArchiveCatchUp(notices: notices, clock: clock)
            let handler = ListMessagesHandler(
                conversations: archive,
                lookup: lookup(archive, catchUp),
                requests: RepositoryFake(),
                memory: memory,
                catchUp: catchUp,
            )
            loop.spawn {
                try? await eventually("the reader waits", on: loop) { notices.isWaiting }
                _ = try? await archive.add([.finished(mine.finished(1, at: 0))])
                notices.tell()
            }
            let query = ListMessages(id: mine.conversationID, userID: mine.user, place: nil, size: .standard)
            #expect(try await handler.handle(query).items.map(\.role) == [.user, .assistant])
            #expect(notices.watchCount == 0)
        }
    }

    private func lookup(
        _ archive: InMemoryArchive,
        _ clock: ManualClock,
        _ activity: ActivityFake? = nil
    ) -> ConversationLookup {
        lookup(archive, catchUp(clock), activity)
    }

    private func lookup(
        _ archive: InMemoryArchive,
        _ catchUp: ArchiveCatchUp,
        _ activity: ActivityFake? = nil
    ) -> ConversationLookup {
        ConversationLookup(
            conversations: archive,
            activity: activity ?? ActivityFake(archive),
            wallClock: FixedWallClock(),
            catchUp: catchUp,
        )
    }

    private func catchUp(_ clock: ManualClock) -> ArchiveCatchUp {
        ArchiveCatchUp(notices: NoPushes(clock: clock), clock: clock)
    }

    @Test("an open request shows how it stands right now")
    func open() async throws {
        let mine = mine
        try await onLoop { loop in
            let archive = emptyArchive()
            try await archive.add([mine.submitted(1, at: 0), mine.submitted(2, at: 1)])
            let requests = RepositoryFake()
            let record = sampleRecord(.running, attempts: 1)
            requests.records[mine.request(2).correlationID] = record
            let clock = ManualClock(loop: loop)
            let handler = ListMessagesHandler(
                conversations: archive,
                lookup: lookup(archive, clock),
                requests: requests,
                memory: MemoryFake(),
                catchUp: catchUp(clock),
            )
            let query = ListMessages(id: mine.conversationID, userID: mine.user, place: nil, size: .standard)
            #expect(try await handler.handle(query).items.map(\.status) == [.queued, .running])
        }
    }

    // MARK: What has expired

    @Test("a request that expired in Redis is read, watched and cancelled from the archive, by its user alone")
    func expired() async throws {
        let mine = mine
        try await onLoop { loop in
            let archive = emptyArchive()
            try await archive.add([.finished(mine.finished(1, at: 0)), mine.submitted(2, at: 1)])
            let requests = RepositoryFake()
            let (id, open) = (mine.request(1).correlationID, mine.request(2).correlationID)
            let read = ReadMathRequestHandler(requests: requests, archive: archive)
            let found = try await read.handle(ReadMathRequest(correlationID: id, userID: mine.user))
            #expect(found.answer == "x = 2" && found.record.status == .completed)
            for (id, user, failure) in [
                (id, UserID("bob"), ReadMathRequest.Failure.notFound), (open, mine.user, .gone),
            ] {
                await #expect(throws: failure) {
                    _ = try await read.handle(ReadMathRequest(correlationID: id, userID: user))
                }
            }
            let watch = WatchAnswerHandler(requests: requests, archive: archive)
            for (cursor, start) in [
                (nil, .answer), ("1-4", .reset), ("9-9", .reset), ("1-7", .end),
            ] as [(String?, ReplayStart)] {
                let cursor = cursor.flatMap { EventID($0) }
                let query = WatchAnswer(correlationID: id, userID: mine.user, cursor: cursor, isKnown: false)
                guard case .replay(let finished, start) = try await watch.handle(query) else {
                    Issue.record("another output than a replay from \(start)")
                    return
                }
                #expect(finished.answer == "x = 2")
            }
            let seen = WatchAnswer(correlationID: id, userID: mine.user, cursor: EventID("1-8"), isKnown: false)
            guard case .nothingFollows = try await watch.handle(seen) else {
                Issue.record("something follows the end")
                return
            }
            await #expect(throws: WatchAnswer.Failure.gone) {
                _ = try await watch.handle(
                    WatchAnswer(correlationID: open, userID: mine.user, cursor: nil, isKnown: false)
                )
            }
            let cancel = CancelMathRequestHandler(
                requests: requests,
                archive: archive,
                ends: NoPushes(clock: ManualClock(loop: loop)),
                clock: ManualClock(loop: loop),
            )
            let over = try await cancel.handle(CancelMathRequest(correlationID: id, userID: mine.user))
            #expect(over.isOver && over.answer == "x = 2")
        }
    }

    @Test("what was kept without ids is replayed with ids that no event has had", arguments: [0, 1, 3])
    func derivedIDs(attempts: Int) {
        let known = mine.finished(1, at: 0)
        #expect(known.replayIDs.end == EventID("1-8") && known.replayIDs.before == EventID("1-7"))
        let ids = mine.finished(1, at: 0, attempts: attempts, ending: nil).replayIDs
        // The last event there can be is a failure at the place of the next attempt's marker.
        #expect(ids.before > EventID(attempt: UInt64(attempts) + 1, sequence: 0))
        #expect(ids.end == ids.before.next)
        #expect(EndingIDs(end: EventID("1-8"), before: nil) == nil)
        #expect(EndingIDs(end: EventID("1-8"), before: EventID("1-8")) == nil)
    }

    @Test("a title is trimmed and bounded; one taken from a problem is its first line, shortened")
    func titles() throws {
        #expect(try ConversationTitle(" \u{2003}Roots\n").text == "Roots")
        #expect(throws: ConversationTitle.Invalid.empty) { try ConversationTitle(" \n") }
        #expect(throws: ConversationTitle.Invalid.tooLong(201)) {
            try ConversationTitle(String(repeating: "é", count: 201))
        }
        #expect(ConversationTitle(of: MathProblem(stored: "2x + 3 = 7\nand more")).text == "2x + 3 = 7")
        let long = ConversationTitle(of: MathProblem(stored: String(repeating: "x", count: 100))).text
        #expect(long.unicodeScalars.count == 80 && long.hasSuffix("x…"))
    }
}

import Application
import ArchiveSupport
import Domain
import Persistence
import PostgresClient
import Shared
import TestSupport
import Testing

/// What the ports promise, of the fake and of PostgreSQL alike.
@Suite("Conversations and requests, kept", .tags(.conformance), .timeLimit(.minutes(2)))
struct ConformanceTests {
    enum Medium: CaseIterable {
        case memory
        case postgres
    }

    @Test("a conversation is found by its user alone, and keeping it again changes nothing", arguments: Medium.allCases)
    func create(_ medium: Medium) async throws {
        try await with(medium) { conversations, _ in
            let mine = Samples(user: UserID("ada"), number: 1)
            try await conversations.create(mine.conversation("Roots"))
            try await conversations.create(mine.conversation("Other", at: 50))
            #expect(try await conversations.find(mine.conversationID, of: mine.user) == mine.conversation("Roots"))
            #expect(try await conversations.find(mine.conversationID, of: UserID("bob")) == nil)
            #expect(try await conversations.list(of: UserID("bob"), after: nil, limit: 10) == [])
        }
    }

    @Test(
        "the list goes from the most recently changed on, page by page, while rows are added",
        arguments: Medium.allCases
    )
    func list(_ medium: Medium) async throws {
        try await with(medium) { conversations, _ in
            let user = UserID("ada")
            // Two at a time share their moment.
            let all = (0..<7).map { Samples(user: user, number: $0 + 1).conversation(at: Int64($0 / 2)) }
            for conversation in all { try await conversations.create(conversation) }
            var seen: [Conversation] = []
            while true {
                let place = seen.last.map { ConversationPlace(updatedAt: $0.updatedAt, id: $0.id) }
                let page = try await conversations.list(of: user, after: place, limit: 3)
                seen += page
                if page.count < 3 { break }
                let newer = Samples(user: user, number: UInt64(100 + seen.count)).conversation(at: 1000)
                try await conversations.create(newer)
            }
            #expect(seen == all.reversed())
        }
    }

    @Test("a new title is a change; another user's conversation has none", arguments: Medium.allCases)
    func rename(_ medium: Medium) async throws {
        try await with(medium) { conversations, _ in
            let mine = Samples(user: UserID("ada"), number: 1)
            let (id, later) = (mine.conversationID, Samples.time(50))
            try await conversations.create(mine.conversation())
            let renamed = try await conversations.rename(id, of: mine.user, to: "A\u{0}B", at: later)
            #expect(renamed?.updatedAt == later && renamed?.createdAt == Samples.time(0))
            let title = try await conversations.find(id, of: mine.user)?.title
            #expect(title == (medium == .postgres ? "A\u{FFFD}B" : "A\u{0}B"))
            #expect(try await conversations.rename(id, of: UserID("bob"), to: "B", at: later) == nil)
        }
    }

    @Test("every field of a request is read as it was written", arguments: Medium.allCases)
    func everything(_ medium: Medium) async throws {
        try await with(medium) { _, archive in
            let finished = Self.fullRequest
            try await archive.add([.finished(finished)])
            let found = try await archive.find(finished.request.correlationID, of: finished.request.userID)
            guard case .finished(let kept, _) = found else {
                Issue.record("not finished: \(String(describing: found))")
                return
            }
            #expect(String(describing: kept) == String(describing: finished))
            #expect(try await archive.find(finished.request.correlationID, of: UserID("bob")) == nil)
        }
    }

    @Test("the order and the number of times in which entries come does not matter", arguments: Medium.allCases)
    func order(_ medium: Medium) async throws {
        let mine = Samples(user: UserID("ada"), number: 1)
        let one: [ArchiveEntry] = [.finished(mine.finished(1, at: 10)), .finished(mine.finished(2, at: 20, .failed))]
        let two = [mine.submitted(1, at: 10), mine.submitted(2, at: 20), mine.submitted(3, at: 30)]
        for batches in [[one, two, one, two], [two, one], [one + two], [two + one + two]] {
            try await with(medium) { conversations, archive in
                for batch in batches { try await archive.add(batch) }
                let requests = try #require(
                    try await conversations.requests(in: mine.conversationID, of: mine.user, from: nil, limit: 10)
                )
                #expect(requests.map(\.createdAt) == [30, 20, 10].map(Samples.time))
                #expect(requests.map(\.status) == [nil, .failed, .completed])
                let conversation = try await conversations.find(mine.conversationID, of: mine.user)
                #expect(conversation?.createdAt == Samples.time(10) && conversation?.updatedAt == Samples.time(120))
            }
        }
    }

    @Test("an answer keeps its id when its record comes again", arguments: Medium.allCases)
    func responseID(_ medium: Medium) async throws {
        try await with(medium) { _, archive in
            let mine = Samples(user: UserID("ada"), number: 1)
            var ids: Set<ResponseID?> = []
            for _ in 0..<3 {
                try await archive.add([.finished(mine.finished(1, at: 0))])
                ids.insert(try await archive.find(mine.request(1).correlationID, of: mine.user)?.responseID)
            }
            #expect(ids.count == 1 && ids.first != nil)
        }
    }

    @Test("requests are paged from the newest on, an open one without an answer", arguments: Medium.allCases)
    func pages(_ medium: Medium) async throws {
        try await with(medium) { conversations, archive in
            let mine = Samples(user: UserID("ada"), number: 1)
            try await archive.add((1...5).map { .finished(mine.finished($0, at: Int64($0 / 2))) })
            try await archive.add([mine.submitted(6, at: 9)])
            let id = mine.conversationID
            let first = try await conversations.requests(in: id, of: mine.user, from: nil, limit: 3)
            #expect(first?.map(\.place) == [6, 5, 4])
            #expect(first?.first?.status == nil)
            let place = try #require(first?.last)
            let from = RequestPlace(createdAt: place.createdAt, id: place.id)
            let second = try await conversations.requests(in: id, of: mine.user, from: from, limit: 10)
            #expect(second?.map(\.place) == [4, 3, 2, 1])
            #expect(try await conversations.requests(in: id, of: UserID("bob"), from: nil, limit: 3) == nil)
        }
    }

    @Test(
        "a deleted conversation is gone with its requests, and late records do not bring it back",
        arguments: Medium.allCases
    )
    func delete(_ medium: Medium) async throws {
        try await with(medium) { conversations, archive in
            let mine = Samples(user: UserID("ada"), number: 1)
            let (id, user, now) = (mine.conversationID, mine.user, Samples.time(500))
            try await archive.add([.finished(mine.finished(1, at: 0)), mine.submitted(2, at: 10)])
            #expect(try await conversations.delete(id, of: UserID("bob"), isExpected: true, at: now) == false)
            #expect(try await conversations.find(id, of: user) != nil)
            #expect(try await conversations.delete(id, of: user, isExpected: false, at: now))
            try await archive.add([.finished(mine.finished(2, at: 10)), .finished(mine.finished(3, at: 20))])
            try await conversations.create(mine.conversation())
            #expect(try await conversations.find(id, of: user) == nil)
            #expect(try await conversations.requests(in: id, of: user, from: nil, limit: 10) == nil)
            for place: UInt64 in 1...3 {
                #expect(try await archive.find(mine.request(place).correlationID, of: user) == nil)
            }
            #expect(try await conversations.list(of: user, after: nil, limit: 10) == [])
            #expect(try await conversations.rename(id, of: user, to: "x", at: now) == nil)
            #expect(try await conversations.delete(id, of: user, isExpected: true, at: now) == false)
        }
    }

    @Test(
        "a request is known as deleted by its user, its lane and its time, also where its record came too late",
        arguments: Medium.allCases
    )
    func deletedRequests(_ medium: Medium) async throws {
        try await with(medium) { conversations, archive in
            let mine = Samples(user: UserID("ada"), number: 1)
            func id(_ lane: UInt64, at milliseconds: Int64) -> CorrelationID {
                let time = UInt64(Samples.time(milliseconds).milliseconds)
                return CorrelationID(bits: UUIDBits(high: time << 16 | 0x7000, low: lane))
            }
            #expect(try await !archive.isDeleted(id(1, at: 0), of: mine.user))
            try await conversations.create(mine.conversation())
            #expect(try await !archive.isDeleted(id(1, at: 0), of: mine.user))
            _ = try await conversations.delete(
                mine.conversationID,
                of: mine.user,
                isExpected: true,
                at: Samples.time(3_600_000),
            )
            #expect(try await archive.isDeleted(id(1, at: 0), of: mine.user))
            #expect(try await archive.isDeleted(id(0xABC_0001, at: 3_600_000), of: mine.user))
            #expect(try await !archive.isDeleted(id(2, at: 0), of: mine.user), "another lane")
            #expect(try await !archive.isDeleted(id(1, at: 0), of: UserID("bob")))
            #expect(try await !archive.isDeleted(id(1, at: 4_000_000), of: mine.user), "made after the deletion")
        }
    }

    @Test("a conversation that nothing is kept of yet can be deleted before it comes", arguments: Medium.allCases)
    func deleteEarly(_ medium: Medium) async throws {
        try await with(medium) { conversations, archive in
            let mine = Samples(user: UserID("ada"), number: 1)
            let (id, user, now) = (mine.conversationID, mine.user, Samples.time(500))
            #expect(try await conversations.delete(id, of: user, isExpected: false, at: now) == false)
            #expect(try await conversations.delete(id, of: user, isExpected: true, at: now))
            try await archive.add([.finished(mine.finished(1, at: 0))])
            #expect(try await conversations.find(id, of: user) == nil)
            #expect(try await archive.find(mine.request(1).correlationID, of: user) == nil)
        }
    }

    @Test(
        "records of a user in another's conversation are dropped, others of their batch are kept",
        arguments: Medium.allCases
    )
    func foreign(_ medium: Medium) async throws {
        try await with(medium) { conversations, archive in
            let mine = Samples(user: UserID("ada"), number: 1)
            let intruder = Samples(user: UserID("bob"), number: 1)
            let other = Samples(user: UserID("bob"), number: 2)
            try await conversations.create(mine.conversation())
            try await archive.add([.finished(intruder.finished(7, at: 0)), .finished(other.finished(1, at: 0))])
            #expect(try await archive.find(intruder.request(7).correlationID, of: intruder.user) == nil)
            #expect(try await archive.find(other.request(1).correlationID, of: other.user) != nil)
        }
    }

    @Test("the recent turns are the last ones with an answer, the oldest first", arguments: Medium.allCases)
    func turns(_ medium: Medium) async throws {
        try await with(medium) { _, archive in
            let mine = Samples(user: UserID("ada"), number: 1)
            var entries: [ArchiveEntry] = (1...4).map { place in
                .finished(mine.finished(place, at: Int64(place), answer: "answer \(place)"))
            }
            entries.append(.finished(mine.finished(5, at: 5, .cancelled, answer: "")))
            entries.append(.finished(mine.finished(6, at: 6, .failed, answer: "part")))
            entries.append(mine.submitted(7, at: 7))
            try await archive.add(entries)
            let turns = try await archive.recentTurns(of: mine.conversationID, limit: 3, textMax: 100)
            #expect(turns.map(\.answer) == ["answer 3", "answer 4", "part"])
            #expect(turns.map(\.isPartial) == [false, false, true])
            let cut = try await archive.recentTurns(of: mine.conversationID, limit: 1, textMax: 3)
            #expect(cut.map(\.answer) == ["par"])
        }
    }

    // MARK: Media

    private func with(
        _ medium: Medium,
        _ body: (any ConversationRepository, any RequestArchive) async throws -> Void
    ) async throws {
        let identifiers = IdentifierFactory(clock: SampleClock(), random: SampleRandom())
        switch medium {
        case .memory:
            let archive = InMemoryArchive(identifiers: identifiers)
            try await body(archive, archive)
        case .postgres:
            let database = try PostgresServer.shared.get().database()
            _ = try await migrate(database, Migration.all)
            try await withDatabase(database.url) { access in
                let archive = PostgresRequestArchive(access, identifiers: identifiers)
                try await body(PostgresConversationRepository(access), archive)
            }
        }
    }

    /// One with a value of its own in every field.
    private static var fullRequest: FinishedRequest {
        let sample = Samples(user: UserID("ada"), number: 9).request(1)
        let request = MathRequest(
            correlationID: sample.correlationID,
            conversationID: sample.conversationID,
            userID: sample.userID,
            problem: MathProblem(stored: "∫ x² dx, “quoted” \\ and 'more'"),
            requestedProvider: "wanted",
            options: SolveOptions(SolveOption.samples),
        )
        return FinishedRequest(
            request: request,
            status: .failed,
            attempts: 3,
            createdAt: Samples.time(1),
            startedAt: Samples.time(2),
            finishedAt: Samples.time(3),
            answer: "partial\nanswer",
            provider: "given",
            model: "model",
            promptVersion: "p7",
            finishReason: .contentFilter,
            cancelReason: .interrupted,
            failure: RequestFailure(kind: .providerTimedOut, detail: "It took too long."),
            usage: TokenUsage(inputTokens: 11, outputTokens: 12, reasoningTokens: 13, isEstimated: true),
            timings: AnswerTimings(queueMilliseconds: 21, firstTokenMilliseconds: 22, durationMilliseconds: 23),
            ending: EndingIDs(end: EventID("4-0"), before: EventID("3-9007199254740991")),
        )
    }
}

extension ArchivedRequest {
    /// Nil for an open one.
    var status: RequestStatus? {
        switch self {
        case .open: nil
        case .finished(let finished, _): finished.status
        }
    }

    var responseID: ResponseID? {
        switch self {
        case .open: nil
        case .finished(_, let id): id
        }
    }

    /// The number it was made with.
    var place: UInt64 { id.bits.low }
}

import Application
import Domain
import Shared
import TestSupport
import Testing

@Suite("Reading, watching and cancelling a request", .tags(.unit))
struct RequestQueryTests {
    private let id = identifier(1)

    private func repository(_ record: RequestRecord?, last: String? = nil, answer: String? = nil) -> RepositoryFake {
        let repository = RepositoryFake()
        repository.records[id] = record
        repository.lastEvents[id] = last.flatMap { EventID($0) }
        repository.answers[id] = answer
        return repository
    }

    // MARK: Reading

    @Test("the answer so far is read once an attempt has begun")
    func reading() async throws {
        let waiting = repository(sampleRecord(.queued), answer: "not asked for")
        let query = ReadMathRequest(correlationID: id, userID: .anonymous)
        #expect(
            try await ReadMathRequestHandler(requests: waiting, archive: emptyArchive()).handle(query).answer == nil
        )
        let running = repository(sampleRecord(.running, attempts: 1), answer: "x = ")
        #expect(
            try await ReadMathRequestHandler(requests: running, archive: emptyArchive()).handle(query).answer == "x = "
        )
    }

    @Test("an unknown request and another user's are answered alike")
    func notFound() async throws {
        let query = ReadMathRequest(correlationID: id, userID: UserID("eve"))
        for record in [nil, sampleRecord(.completed, attempts: 1)] {
            let handler = ReadMathRequestHandler(requests: repository(record), archive: emptyArchive())
            await #expect(throws: ReadMathRequest.Failure.notFound) { _ = try await handler.handle(query) }
        }
    }

    @Test("all three report an unavailable store as such")
    func unavailable() async throws {
        try await onLoop { loop in
            let away = RepositoryFake()
            away.isAway = true
            let id = identifier(1)
            await #expect(throws: ReadMathRequest.Failure.unavailable) {
                _ = try await ReadMathRequestHandler(requests: away, archive: emptyArchive())
                    .handle(ReadMathRequest(correlationID: id, userID: .anonymous))
            }
            await #expect(throws: WatchAnswer.Failure.unavailable) {
                _ = try await WatchAnswerHandler(requests: away, archive: emptyArchive())
                    .handle(WatchAnswer(correlationID: id, userID: .anonymous, cursor: nil, isKnown: true))
            }
            await #expect(throws: CancelMathRequest.Failure.unavailable) {
                _ = try await CancelMathRequestHandler(
                    requests: away,
                    archive: emptyArchive(),
                    ends: NoPushes(clock: ManualClock(loop: loop)),
                    clock: ManualClock(loop: loop)
                )
                .handle(CancelMathRequest(correlationID: id, userID: .anonymous))
            }
        }
    }

    // MARK: Watching

    private func watch(
        _ repository: RepositoryFake,
        _ cursor: String?,
        isKnown: Bool = false,
        user: UserID = .anonymous
    ) async throws(WatchAnswer.Failure) -> String {
        let cursor = cursor.flatMap { EventID($0) }
        let query = WatchAnswer(correlationID: id, userID: user, cursor: cursor, isKnown: isKnown)
        switch try await WatchAnswerHandler(requests: repository, archive: emptyArchive()).handle(query) {
        case .events(_, .first): return "events after nothing"
        case .events(_, .after(let cursor)): return "events after \(cursor)"
        case .events(_, .reset): return "reset"
        case .replay(_, .answer): return "replay"
        case .replay(_, .reset): return "replay after a reset"
        case .replay(_, .end): return "replay of the end"
        case .nothingFollows: return "nothing follows"
        }
    }

    @Test(
        "what a viewer is given depends on its cursor and the last event",
        arguments: [
            (.queued, "0-1", nil, "events after nothing"),
            (.running, nil, nil, "events after nothing"),
            (.running, "1-5", "1-3", "events after 1-3"),
            (.running, "1-5", "1-5", "events after 1-5"),
            (.running, "1-5", "1-6", "reset"),
            (.running, "1-5", "2-0", "reset"),
            (.completed, "1-6", nil, "events after nothing"),
            (.completed, "1-6", "1-5", "events after 1-5"),
            (.completed, "1-6", "1-6", "nothing follows"),
            (.cancelled, "0-2", "0-2", "nothing follows"),
            (.failed, "2-0", "3-0", "reset"),
        ] as [(RequestStatus, String?, String?, String)],
    )
    func watching(status: RequestStatus, last: String?, cursor: String?, expected: String) async throws {
        #expect(try await watch(repository(sampleRecord(status), last: last), cursor) == expected)
    }

    @Test(
        "an id that may mean a lost event begins anew, however far the attempt of the same number has come",
        arguments: [
            ("2-1", "reset"), ("2-3", "reset"), ("2-4", "events after 2-4"), ("2-0", "events after 2-0"),
            ("1-2", "events after 1-2"),
        ],
    )
    func lostEvents(cursor: String, expected: String) async throws {
        let record = sampleRecord(.running, lost: [EventID(attempt: 2, sequence: 3)])
        #expect(try await watch(repository(record, last: "2-7"), cursor) == expected)
    }

    @Test("a client that has the end is told that nothing follows, whatever was lost before it")
    func endAfterLoss() async throws {
        let record = sampleRecord(.cancelled, lost: [EventID(attempt: 2, sequence: 9)])
        #expect(try await watch(repository(record, last: "2-7"), "2-7") == "nothing follows")
        #expect(try await watch(repository(record, last: "2-7"), "2-6") == "reset")
    }

    @Test("an event that the store does not have is noted before the client of a running request gets a reset")
    func noteLost() async throws {
        let running = repository(sampleRecord(.running), last: "1-5")
        #expect(try await watch(running, "1-7") == "reset")
        #expect(running.notedLost == [EventID(attempt: 1, sequence: 7)])
        let ended = repository(sampleRecord(.completed), last: "1-5")
        #expect(try await watch(ended, "1-7") == "reset")
        #expect(ended.notedLost.isEmpty, "nothing more is written there")
    }

    @Test("without events there is nothing to watch; without a record only a ticket makes it gone and not unknown")
    func gone() async throws {
        let finished = repository(sampleRecord(.completed))
        await #expect(throws: WatchAnswer.Failure.gone) { _ = try await watch(finished, nil) }
        let running = repository(sampleRecord(.running))
        await #expect(throws: WatchAnswer.Failure.gone) { _ = try await watch(running, "1-1") }
        await #expect(throws: WatchAnswer.Failure.gone) { _ = try await watch(repository(nil), nil, isKnown: true) }
        await #expect(throws: WatchAnswer.Failure.notFound) { _ = try await watch(repository(nil), nil) }
        let others = repository(sampleRecord(.running), last: "1-0")
        await #expect(throws: WatchAnswer.Failure.notFound) {
            _ = try await watch(others, nil, isKnown: true, user: UserID("eve"))
        }
    }

    // MARK: Cancelling

    @Test("a request that is over stays as it is")
    func over() async throws {
        try await onLoop { loop in
            let repository = RepositoryFake()
            repository.records[identifier(1)] = sampleRecord(.completed, attempts: 1)
            repository.answers[identifier(1)] = "42"
            repository.onCancel = { _, _ in
                Issue.record("nothing is left to cancel")
                return .over
            }
            let handler = CancelMathRequestHandler(
                requests: repository,
                archive: emptyArchive(),
                ends: NoPushes(clock: ManualClock(loop: loop)),
                clock: ManualClock(loop: loop)
            )
            let output = try await handler.handle(CancelMathRequest(correlationID: identifier(1), userID: .anonymous))
            #expect(output.isOver && output.record.status == .completed && output.answer == "42")
        }
    }

    @Test("a waiting request is over at once")
    func queued() async throws {
        try await onLoop { loop in
            let repository = RepositoryFake()
            let id = identifier(1)
            repository.records[id] = sampleRecord(.queued)
            repository.onCancel = { [unowned repository] request, reason in
                #expect(reason == .requested)
                repository.records[request.correlationID] = sampleRecord(.cancelled)
                return .over
            }
            let clock = ManualClock(loop: loop)
            let handler = CancelMathRequestHandler(
                requests: repository,
                archive: emptyArchive(),
                ends: NoPushes(clock: clock),
                clock: clock,
            )
            let output = try await handler.handle(CancelMathRequest(correlationID: id, userID: .anonymous))
            #expect(output.isOver && output.answer == nil)
            #expect(clock.sleeps.isEmpty)
        }
    }

    @Test("the worker of a running request is waited for, but not for ever")
    func running() async throws {
        try await onLoop { loop in
            let repository = RepositoryFake()
            let id = identifier(1)
            repository.records[id] = sampleRecord(.running, attempts: 1)
            let clock = ManualClock(loop: loop, isAutomatic: true)
            let handler = CancelMathRequestHandler(
                requests: repository,
                archive: emptyArchive(),
                ends: NoPushes(clock: clock),
                clock: clock,
            )
            let command = CancelMathRequest(correlationID: id, userID: .anonymous)
            let begin = clock.now
            #expect(try await !handler.handle(command).isOver)
            #expect(clock.now - begin == .milliseconds(500))

            var looks = 0
            repository.onFind = { record in
                looks += 1
                return looks > 1 ? sampleRecord(.cancelled, attempts: 1) : record
            }
            let output = try await handler.handle(command)
            #expect(output.isOver && output.record.status == .cancelled)
        }
    }

    @Test("another user's request cannot be cancelled")
    func others() async throws {
        try await onLoop { loop in
            let repository = RepositoryFake()
            repository.records[identifier(1)] = sampleRecord(.running, user: UserID("ada"))
            repository.onCancel = { _, _ in
                Issue.record("it is not theirs")
                return .asked
            }
            let handler = CancelMathRequestHandler(
                requests: repository,
                archive: emptyArchive(),
                ends: NoPushes(clock: ManualClock(loop: loop)),
                clock: ManualClock(loop: loop)
            )
            await #expect(throws: CancelMathRequest.Failure.notFound) {
                _ = try await handler.handle(CancelMathRequest(correlationID: identifier(1), userID: UserID("eve")))
            }
        }
    }
}

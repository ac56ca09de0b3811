import Application
import ArchiveSupport
import Domain
import EventLoop
import Shared
import TestSupport
import Testing

/// Counts what is asked of the stores about requests.
private final class CountingStores: RequestRepository, RequestArchive {
    let requests = RepositoryFake()
    private let archive = emptyArchive()
    private(set) var calls: [String] = []

    func find(_ id: CorrelationID) async throws(RepositoryFailure) -> RequestRecord? {
        calls.append("find")
        return try await requests.find(id)
    }

    func answer(of id: CorrelationID) async throws(RepositoryFailure) -> String? {
        calls.append("answer")
        return try await requests.answer(of: id)
    }

    func lastEvent(of id: CorrelationID) async throws(RepositoryFailure) -> EventID? {
        calls.append("lastEvent")
        return try await requests.lastEvent(of: id)
    }

    func noteLost(_ event: EventID, of id: CorrelationID) async throws(RepositoryFailure) { calls.append("noteLost") }

    func cancel(_ request: MathRequest, _ reason: CancelReason) async throws(RepositoryFailure) -> CancelResult {
        calls.append("cancel")
        return .asked
    }

    func add(_ entries: [ArchiveEntry]) async throws(ArchiveFailure) -> Set<AccountID> { [] }

    func find(_ id: CorrelationID, of user: UserID) async throws(RepositoryFailure) -> ArchivedRequest? {
        calls.append("archive")
        return try await archive.find(id, of: user)
    }

    func isDeleted(_ id: CorrelationID, of user: UserID) async throws(RepositoryFailure) -> Bool {
        calls.append("isDeleted")
        return try await archive.isDeleted(id, of: user)
    }

    func recentTurns(
        of conversation: ConversationID,
        limit: Int,
        textMax: Int
    ) async throws(RepositoryFailure) -> [ConversationTurn] { [] }
}

private struct PlainFingerprints: Fingerprinting {
    func fingerprint(_ text: String) -> Fingerprint { Fingerprint(Array("\(text)0123456789abcdef".utf8)) }
}

/// Another user's id takes exactly the way of an unknown one: the same result after the same calls of the stores, so that
/// neither reply, nor status with a store away, nor time tells them apart.
@Suite("Another user's ids", .tags(.unit))
struct OwnershipTests {
    private enum Operation: CaseIterable {
        case read, cancel, watch, watchAfter, watchBeyond
    }

    private static let eve = UserID("eve")

    private func result(_ operation: Operation, _ stores: CountingStores, _ loop: Loop) async -> String {
        let id = identifier(1)
        func watch(_ cursor: String?) async throws {
            let query = WatchAnswer(
                correlationID: id,
                userID: Self.eve,
                cursor: cursor.flatMap { EventID($0) },
                isKnown: false,
            )
            _ = try await WatchAnswerHandler(requests: stores, archive: stores).handle(query)
        }
        do {
            switch operation {
            case .read:
                let query = ReadMathRequest(correlationID: id, userID: Self.eve)
                _ = try await ReadMathRequestHandler(requests: stores, archive: stores).handle(query)
            case .cancel:
                let clock = ManualClock(loop: loop, isAutomatic: true)
                let handler = CancelMathRequestHandler(
                    requests: stores,
                    archive: stores,
                    ends: NoPushes(clock: clock),
                    clock: clock,
                )
                _ = try await handler.handle(CancelMathRequest(correlationID: id, userID: Self.eve))
            case .watch: try await watch(nil)
            case .watchAfter: try await watch("1-4")
            case .watchBeyond: try await watch("9-9")
            }
            return "found"
        } catch {
            return "\(error)"
        }
    }

    @Test("are answered as unknown ones, after the same calls", arguments: RequestStatus.allCases)
    func requests(_ status: RequestStatus) async throws {
        try await onLoop { loop in
            for operation in Operation.allCases {
                let (unknown, foreign) = (CountingStores(), CountingStores())
                let record = sampleRecord(status, attempts: 1, user: UserID("ada"))
                foreign.requests.records[identifier(1)] = record
                foreign.requests.answers[identifier(1)] = "x = 2"
                foreign.requests.lastEvents[identifier(1)] = EventID("1-8")
                let expected = await result(operation, unknown, loop)
                #expect(expected == "notFound")
                #expect(await result(operation, foreign, loop) == expected, "\(operation)")
                #expect(foreign.calls == unknown.calls, "\(operation)")
            }
        }
    }

    @Test("a problem in another user's conversation is refused as one in an unknown one, after the same look-up")
    func conversation() async throws {
        for failure in [PublishFailure.conversationNotFound, .conversationUnknown] {
            let publisher = PublisherFake()
            publisher.namedFailure = failure
            let archive = emptyArchive()
            let handler = SolveMathProblemHandler(
                validator: SolveMathProblemValidator(providerNames: []),
                estimate: SubmissionEstimate(contextTokensMax: 8000),
                admission: AdmissionFake(),
                publisher: publisher,
                conversations: archive,
                identifiers: IdentifierFactory(clock: FixedWallClock(), random: FixedRandom.half),
                fingerprints: PlainFingerprints(),
                bus: BusRecorder(),
            )
            let input = SolveInput(problem: "1+1", conversationID: ConversationID(bits: UUIDBits(high: 1, low: 1)))
            let command = SolveMathProblem(submitter: Submitter(user: Self.eve), input: input)
            await #expect(throws: SolveMathProblem.Failure.conversationNotFound) {
                _ = try await handler.handle(command)
            }
            archive.isAway = true
            await #expect(throws: SolveMathProblem.Failure.unavailable) { _ = try await handler.handle(command) }
        }
    }
}

import ArchiveSupport
import Domain
import Shared
import TestSupport
import Testing

@testable import Application

@Suite("Limits of a submission", .tags(.unit))
struct SubmissionLimitTests {
    private let publisher = PublisherFake()
    private let admission = AdmissionFake()
    private let bus = BusRecorder()
    private let reached = LimitReached(
        kind: .rate,
        name: "user",
        quota: 60,
        window: .seconds(60),
        retryAfter: .milliseconds(10),
    )

    private var handler: SolveMathProblemHandler {
        SolveMathProblemHandler(
            validator: SolveMathProblemValidator(providerNames: ["mock"]),
            estimate: SubmissionEstimate(contextTokensMax: 8000),
            admission: admission,
            publisher: publisher,
            conversations: emptyArchive(),
            identifiers: IdentifierFactory(clock: FixedWallClock(), random: FixedRandom.half),
            fingerprints: ShortFingerprinting(),
            bus: bus,
        )
    }

    private func submit(
        _ problem: String = "1+1",
        in conversation: ConversationID? = nil,
        key: String? = nil,
        options: [SolveOption: SolveOption.Value] = [:]
    ) async throws -> SolveMathProblem.Output {
        let input = SolveInput(problem: problem, conversationID: conversation, options: options)
        let submitter = Submitter(user: UserID("ada"), address: "192.0.2.1")
        return try await handler.handle(
            SolveMathProblem(submitter: submitter, input: input, idempotencyKey: key)
        )
    }

    private var refusals: [MathProblemRefused.Reason] { bus.events.compactMap { ($0 as? MathProblemRefused)?.reason } }

    @Test("an admitted submission is charged once, under the id of its request, and says what is left of the rate")
    func admitted() async throws {
        let rate = RateStanding(name: "user", quota: 60, window: .seconds(60), remaining: 59, resetAfter: .seconds(1))
        admission.admission = Admission(reservation: TokenReservation("a b"), rate: rate)
        let output = try await submit()
        #expect(output.rate == rate)
        #expect(admission.charges.map(\.request) == [output.correlationID] && admission.withdrawn.isEmpty)
        #expect(admission.charges.first?.submitter == Submitter(user: UserID("ada"), address: "192.0.2.1"))
        #expect(publisher.published.first?.reservation == TokenReservation("a b"))
    }

    @Test("a reached limit refuses the submission before it is published, and listeners hear of it")
    func refused() async throws {
        admission.failure = .refused(reached)
        await #expect(throws: SolveMathProblem.Failure.limited(reached)) { _ = try await submit() }
        #expect(publisher.standings.isEmpty && refusals == [.userRate])
        admission.failure = .unavailable
        await #expect(throws: SolveMathProblem.Failure.unavailable) { _ = try await submit() }
        #expect(publisher.standings.isEmpty && refusals == [.userRate, .unavailable])
    }

    @Test("an invalid submission is not charged")
    func invalid() async throws {
        await #expect(throws: SolveMathProblem.Failure.self) { _ = try await submit("  ") }
        #expect(admission.charges.isEmpty)
    }

    @Test(
        "what the queue refuses is given back",
        arguments: [PublishFailure.queueFull, .unavailable, .conversationBusy]
    )
    func withdrawn(failure: PublishFailure) async throws {
        publisher.failure = failure
        await #expect(throws: SolveMathProblem.Failure.self) { _ = try await submit() }
        #expect(admission.withdrawn == admission.charges.map(\.request) && admission.withdrawn.count == 1)
    }

    @Test("a repetition gives back what it was charged, and no limit refuses it")
    func repetition() async throws {
        let first = try await submit(key: "k")
        let second = try await submit(key: "k")
        #expect(second.isReplay && admission.charges.count == 2)
        #expect(admission.withdrawn == [admission.charges[1].request])
        for failure in [AdmissionFailure.refused(reached), .unavailable] {
            admission.failure = failure
            let third = try await submit(key: "k")
            #expect(third.isReplay && third.correlationID == first.correlationID && third.rate == nil)
            await #expect(throws: SolveMathProblem.Failure.idempotencyKeyReused) {
                _ = try await submit("1+2", key: "k")
            }
        }
        admission.failure = .refused(reached)
        await #expect(throws: SolveMathProblem.Failure.limited(reached)) { _ = try await submit(key: "another") }
        #expect(publisher.published.count == 1)
    }

    @Test("the estimate is the problem, the largest context of a conversation, and the answer's limit or its standard")
    func estimate() async throws {
        let problem = String(repeating: "1", count: 40)
        _ = try await submit(problem)
        _ = try await submit(problem, options: [.maxOutputTokens: .integer(100)])
        publisher.namedFailure = .conversationBusy
        let named = ConversationID(bits: UUIDBits(high: 1, low: 2))
        _ = try? await submit(problem, in: named)
        #expect(admission.charges.map(\.tokens) == [10 + 2048, 10 + 100, 10 + 8000 + 2048])
    }

    @Test("each limit that a submission can reach has a reason of its own")
    func reasons() {
        let all = LimitReached.Kind.allCases
        let names = [("user", all), ("key", all), ("address", [.rate, .tokens])]
        var reasons: Set<MathProblemRefused.Reason> = []
        for (name, kinds) in names {
            for kind in kinds {
                let reached = LimitReached(kind: kind, name: name, quota: 1, window: nil, retryAfter: .zero)
                if let refused = MathProblemRefused(.limited(reached)) { reasons.insert(refused.reason) }
            }
        }
        let others: Set<MathProblemRefused.Reason> = [.queueFull, .conversationCrowded, .archiveBehind, .unavailable]
        #expect(reasons == Set(MathProblemRefused.Reason.allCases).subtracting(others))
    }
}

import Application
import ArchiveSupport
import Domain
import Shared
import TestSupport
import Testing

@Suite("Submitting a problem", .tags(.unit))
struct SolveMathProblemTests {
    private let validator = SolveMathProblemValidator(providerNames: ["local", "mock"])
    private let ada = Submitter(user: UserID("ada"))

    @Test("everything valid is taken as it is, with the contract's defaults")
    func valid() throws {
        let plain = try validator.validate(SolveInput(problem: " 1+1 "))
        #expect(plain.problem.text == "1+1")
        #expect(plain.provider == nil)
        #expect(plain.options == SolveOptions())
        let full = try validator.validate(
            SolveInput(
                problem: "x",
                provider: "mock",
                options: [
                    .temperature: .number(2), .maxOutputTokens: .integer(32_768), .onDisconnect: .text("cancel"),
                    .onBusy: .text("interrupt"),
                ],
            )
        )
        #expect(full.provider == "mock")
        #expect(full.options.temperature == 2 && full.options.maxOutputTokens == 32_768)
        #expect(full.options.onDisconnect == .cancel && full.options.onBusy == .interrupt)
    }

    @Test("all mistakes are reported at once, each with its field")
    func allMistakes() {
        let input = SolveInput(
            problem: "  ",
            provider: "oracle",
            options: [
                .temperature: .number(2.1), .maxOutputTokens: .integer(0), .onDisconnect: .text("explode"),
                .onBusy: .text(""),
            ],
        )
        let failure = #expect(throws: ValidationFailure.self) { try validator.validate(input) }
        let expected = [
            "problem", "provider", "options.temperature", "options.maxOutputTokens", "options.onDisconnect",
            "options.onBusy",
        ]
        #expect(failure?.errors.map(\.field) == expected)
        #expect(failure?.errors[1].message.contains("local, mock") == true, "the valid names are told")
        #expect(failure?.errors[4].message.contains("continue, cancel") == true)
        #expect(failure?.errors[5].message.contains("enqueue, reject, interrupt") == true)
    }

    @Test(
        "numbers outside of their ranges are refused",
        arguments: [
            (-0.001, nil), (2.001, nil), (.nan, nil), (.infinity, nil), (nil, -1), (nil, 32_769), (nil, .max),
        ] as [(Double?, Int?)],
    )
    func ranges(temperature: Double?, tokens: Int?) {
        var input = SolveInput(problem: "1")
        input.options[.temperature] = temperature.map { .number($0) }
        input.options[.maxOutputTokens] = tokens.map { .integer($0) }
        let failure = #expect(throws: ValidationFailure.self) { try validator.validate(input) }
        #expect(failure?.errors.count == 1)
    }

    @Test("a missing and a too long problem are distinguished")
    func problems() {
        let missing = #expect(throws: ValidationFailure.self) { try validator.validate(SolveInput(problem: nil)) }
        #expect(missing?.errors.first?.message.contains("required") == true)
        let long = String(repeating: "1", count: 9000)
        let failure = #expect(throws: ValidationFailure.self) { try validator.validate(SolveInput(problem: long)) }
        #expect(failure?.errors.first?.message.contains("9000") == true)
        #expect(failure?.errors.first?.message.contains("8000") == true)
    }

    // MARK: Handler

    private func handler(
        _ publisher: PublisherFake,
        _ bus: BusRecorder,
        _ conversations: InMemoryArchive = emptyArchive()
    ) -> SolveMathProblemHandler {
        SolveMathProblemHandler(
            validator: validator,
            estimate: SubmissionEstimate(contextTokensMax: 8000),
            admission: AdmissionFake(),
            publisher: publisher,
            conversations: conversations,
            identifiers: IdentifierFactory(clock: FixedWallClock(), random: FixedRandom.half),
            fingerprints: ShortFingerprinting(),
            bus: bus,
        )
    }

    @Test("an accepted problem is published once, and listeners are notified")
    func accepted() async throws {
        let (publisher, bus) = (PublisherFake(), BusRecorder())
        let input = SolveInput(problem: " 2x = 4 ", provider: "local", options: [.temperature: .number(1)])
        let output = try await handler(publisher, bus).handle(SolveMathProblem(submitter: ada, input: input))
        let request = try #require(publisher.published.first)
        #expect(publisher.published.count == 1)
        #expect(request.userID == UserID("ada"))
        #expect(request.problem.text == "2x = 4")
        #expect(request.requestedProvider == "local")
        #expect(request.options.temperature == 1)
        #expect(output.correlationID == request.correlationID)
        #expect(output.conversationID == request.conversationID)
        #expect(output.createdAt == Timestamp(milliseconds: 1_795_253_400_250), "the store's clock tells")
        #expect(!output.isReplay)
        let event = try #require(bus.events.first as? MathProblemSubmitted)
        #expect(event.correlationID == request.correlationID)
        #expect(event.position == 1)
    }

    @Test("a repetition under the same key is the first one's request, another meaning is refused")
    func idempotency() async throws {
        let (publisher, bus) = (PublisherFake(), BusRecorder())
        let handler = handler(publisher, bus)
        func submit(_ problem: String, user: String = "ada") async throws -> SolveMathProblem.Output {
            let input = SolveInput(problem: problem)
            return try await handler.handle(
                SolveMathProblem(submitter: Submitter(user: UserID(user)), input: input, idempotencyKey: "k")
            )
        }
        let first = try await submit("1+1")
        let second = try await submit("  1+1 ")
        #expect(second.isReplay && second.correlationID == first.correlationID)
        #expect(publisher.published.count == 1)
        #expect(bus.events.count == 1, "a repetition is no further submission")
        await #expect(throws: SolveMathProblem.Failure.idempotencyKeyReused) { _ = try await submit("1+2") }
        let other = try await submit("1+2", user: "bob")
        #expect(!other.isReplay, "keys are each user's own")
    }

    @Test("invalid input is not published, and listeners are not notified")
    func invalid() async throws {
        let (publisher, bus) = (PublisherFake(), BusRecorder())
        let handler = handler(publisher, bus)
        await #expect(throws: SolveMathProblem.Failure.self) {
            _ = try await handler.handle(SolveMathProblem(submitter: .anonymous, input: SolveInput(problem: "")))
        }
        #expect(publisher.published.isEmpty && bus.events.isEmpty)
    }

    @Test(
        "the queue's refusals are passed on",
        arguments: [
            (.queueFull, .queueFull), (.unavailable, .unavailable), (.keyReused, .idempotencyKeyReused),
            (.conversationBusy, .conversationBusy), (.conversationNotFound, .conversationNotFound),
            (.conversationCrowded(limit: 3), .conversationCrowded(limit: 3)), (.archiveBehind, .archiveBehind),
        ] as [(PublishFailure, SolveMathProblem.Failure)],
    )
    func refused(failure: PublishFailure, expected: SolveMathProblem.Failure) async throws {
        let (publisher, bus) = (PublisherFake(), BusRecorder())
        publisher.failure = failure
        let handler = handler(publisher, bus)
        await #expect(throws: expected) {
            _ = try await handler.handle(SolveMathProblem(submitter: .anonymous, input: SolveInput(problem: "1")))
        }
        let refused: [MathProblemRefused.Reason] =
            switch expected {
            case .queueFull: [.queueFull]
            case .unavailable: [.unavailable]
            case .conversationCrowded: [.conversationCrowded]
            case .archiveBehind: [.archiveBehind]
            case .invalid, .conversationNotFound, .conversationBusy, .idempotencyKeyReused, .limited: []
            }
        #expect(bus.events.map { ($0 as? MathProblemRefused)?.reason } == refused, "only the service's state is one")
    }

    // MARK: Conversations

    private func conversation(of user: String) -> Conversation {
        let time = Timestamp(milliseconds: 0)
        return Conversation(id: named, userID: UserID(user), title: nil, createdAt: time, updatedAt: time)
    }

    private let named = ConversationID(bits: UUIDBits(high: 1, low: 0xABCD))

    private func solve(
        in conversation: ConversationID?,
        key: String? = nil,
        _ publisher: PublisherFake,
        _ conversations: InMemoryArchive = emptyArchive()
    ) async throws -> SolveMathProblem.Output {
        let input = SolveInput(problem: "1+1", conversationID: conversation)
        let command = SolveMathProblem(submitter: ada, input: input, idempotencyKey: key)
        return try await handler(publisher, BusRecorder(), conversations).handle(command)
    }

    @Test("a problem without a conversation opens one, with or without a key, and all its ids are in one lane")
    func opens() async throws {
        let publisher = PublisherFake()
        for key in [nil, "k", "l"] {
            let output = try await solve(in: nil, key: key, publisher)
            #expect(output.correlationID.bits.lane == output.conversationID.bits.lane)
            #expect((output.correlationID.bits.lane != 0) == (key != nil), "random, or that of the key")
        }
        #expect(publisher.standings == [.new, .new, .new])
    }

    @Test("a named conversation that the queue's store knows is not looked up")
    func known() async throws {
        let publisher = PublisherFake()
        let conversations = emptyArchive()
        conversations.isAway = true
        let output = try await solve(in: named, key: "k", publisher, conversations)
        #expect(output.conversationID == named && output.correlationID.bits.lane == named.bits.lane)
        #expect(publisher.standings == [.named])
    }

    @Test("one that it does not know is looked up: it must exist and be the user's, and the archive must answer")
    func lookedUp() async throws {
        let publisher = PublisherFake()
        publisher.namedFailure = .conversationUnknown
        let conversations = emptyArchive()
        await #expect(throws: SolveMathProblem.Failure.conversationNotFound) {
            _ = try await solve(in: named, publisher, conversations)
        }
        try await conversations.create(conversation(of: "bob"))
        await #expect(throws: SolveMathProblem.Failure.conversationNotFound) {
            _ = try await solve(in: named, publisher, conversations)
        }
        let own = emptyArchive()
        try await own.create(conversation(of: "ada"))
        own.isAway = true
        await #expect(throws: SolveMathProblem.Failure.unavailable) { _ = try await solve(in: named, publisher, own) }
        #expect(publisher.published.isEmpty)
        own.isAway = false
        #expect(try await solve(in: named, publisher, own).conversationID == named)
        #expect(publisher.standings.last == .confirmed)
    }
}

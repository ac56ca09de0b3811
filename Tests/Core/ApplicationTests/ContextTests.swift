import Application
import Domain
import EventLoop
import Shared
import TestSupport
import Testing

@testable import Application

@Suite("The part of a conversation that goes to a provider", .tags(.unit))
struct ContextTests {
    // MARK: Window

    private func numbers(_ context: ConversationContext) -> [UInt64] {
        context.turns.map { $0.correlationID.bits.low & 0xFFFF }
    }

    @Test("the newest turns are given, oldest first, with a note if earlier ones were left out")
    func newest() {
        let window = ContextWindow(turnsMax: 3, tokensMax: 1000)
        let turns = (1...5).map { turn($0) }
        #expect(numbers(window.context(of: turns)) == [3, 4, 5])
        #expect(window.context(of: turns).omitsEarlierTurns)
        #expect(numbers(window.context(of: Array(turns.prefix(3)))) == [1, 2, 3])
        #expect(!window.context(of: Array(turns.prefix(3))).omitsEarlierTurns)
        #expect(window.context(of: []) == .empty)
    }

    @Test("a turn that does not fit whole is left out with all before it, however small those are")
    func whole() {
        // 8 and 8 characters are 2 tokens each, and a turn takes 8 more.
        let exact = ContextWindow(turnsMax: 10, tokensMax: 24)
        let turns = [turn(1), turn(2, characters: 16), turn(3, characters: 16)]
        #expect(numbers(exact.context(of: turns)) == [2, 3])
        let tight = ContextWindow(turnsMax: 10, tokensMax: 23)
        #expect(numbers(tight.context(of: turns)) == [3], "the first one would fit, but not without a hole")
        #expect(tight.context(of: turns).omitsEarlierTurns)
        let none = ContextWindow(turnsMax: 10, tokensMax: 11)
        #expect(none.context(of: turns).turns.isEmpty && none.context(of: turns).omitsEarlierTurns)
    }

    @Test("a token is four bytes of UTF-8, rounded up")
    func estimate() {
        #expect(TokenUsage.estimate(utf8Bytes: 0) == 0)
        #expect(TokenUsage.estimate(utf8Bytes: 1) == 1)
        #expect(TokenUsage.estimate(utf8Bytes: 5) == 2)
        #expect(TokenUsage.estimate(utf8Bytes: "√2 ≈ 1,4".utf8.count) == 3)
    }

    // MARK: Reader

    private struct Bench {
        let memory = MemoryFake()
        let archive = ArchiveFake()
        let clock: ManualClock

        init(_ loop: Loop) { clock = ManualClock(loop: loop, isAutomatic: true) }

        func context(opensConversation: Bool = false, turnsMax: Int = 3) async throws -> ConversationContext {
            let window = ContextWindow(turnsMax: turnsMax, tokensMax: 1000)
            let reader = ContextReader(memory: memory, archive: archive, window: window, clock: clock)
            let claim = JobClaim(
                delivery: JobDelivery(entry: "1-0", correlationID: identifier(9), requestedProvider: nil),
                request: sampleRequest(9),
                attempt: 1,
                cause: .first,
                queueMilliseconds: 0,
                ageMilliseconds: 0,
                opensConversation: opensConversation,
            )
            return try await reader.context(for: claim)
        }
    }

    @Test("what is remembered whole needs no archive; the first problem needs neither")
    func remembered() async throws {
        try await onLoop { loop in
            let bench = Bench(loop)
            bench.memory.recalled = KnownTurns(turns: [turn(1), turn(2)], isWhole: true)
            let given = try await bench.context()
            #expect(numbers(given) == [1, 2])
            bench.memory.failures = .max
            let first = try await bench.context(opensConversation: true)
            let switchedOff = try await bench.context(turnsMax: 0)
            #expect(first == .empty && switchedOff == .empty)
            #expect(bench.archive.limits.isEmpty)
        }
    }

    @Test("missing turns come from the archive, followed by those that it does not have yet, each turn once")
    func forgotten() async throws {
        try await onLoop { loop in
            let bench = Bench(loop)
            bench.memory.recalled = KnownTurns(turns: [turn(4), turn(5)], isWhole: false)
            bench.archive.turns = [turn(1), turn(2), turn(3), turn(4)]
            let context = try await bench.context()
            #expect(numbers(context) == [3, 4, 5] && context.omitsEarlierTurns)
            #expect(bench.archive.limits == [4], "one more than there is room for tells of earlier ones")
            #expect(bench.memory.remembered == bench.archive.turns)
        }
    }

    @Test("an archive that is away is waited for, and then nothing is answered without memory")
    func away() async throws {
        try await onLoop { loop in
            let bench = Bench(loop)
            bench.memory.recalled = KnownTurns(turns: [], isWhole: false)
            bench.archive.turns = [turn(1)]
            bench.archive.failures = 20
            let start = bench.clock.now
            let given = try await bench.context()
            #expect(numbers(given) == [1])
            #expect(bench.clock.now - start >= .seconds(4))
            bench.archive.failures = .max
            await #expect(throws: ContextReader.Failure.unavailable) { _ = try await bench.context() }
            #expect(bench.clock.now - start >= .seconds(14))
        }
    }

    @Test("Redis is waited for as long as it takes")
    func redisAway() async throws {
        try await onLoop { loop in
            let bench = Bench(loop)
            bench.memory.failures = 100
            let context = try await bench.context()
            #expect(context == .empty)
        }
    }
}

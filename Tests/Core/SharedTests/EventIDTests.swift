import Shared
import TestSupport
import Testing

@Suite("Event ids", .tags(.unit))
struct EventIDTests {
    @Test(
        "what is written is read back",
        arguments: [(0, 0), (0, 1), (1, 0), (12, 34_567), ((1 << 53) - 1, (1 << 53) - 1)] as [(UInt64, UInt64)],
    )
    func roundTrip(attempt: UInt64, sequence: UInt64) {
        let id = EventID(attempt: attempt, sequence: sequence)
        #expect(id.description == "\(attempt)-\(sequence)")
        #expect(EventID(id.description) == id)
        let bytes = Array(id.description.utf8)
        #expect(EventID(ascii: bytes.span) == id)
    }

    @Test(
        "nothing but two decimal numbers without sign, leading zeros or spaces is an id",
        arguments: [
            "", "-", "1", "1-", "-1", "--1", "1--1", "1-1-1", "1-1-", "01-1", "1-01", "00-1", "1-00", "+1-1", "1-+1",
            " 1-1", "1-1 ", "1 -1", "1- 1", "1-1\n", "1-1\0", "0x1-1", "1-a", "1.0-1", "١-١", "1–1", "*", "$", "1-*",
            "9007199254740992-1", "1-9007199254740992", "18446744073709551616-0", "1-99999999999999999999999",
        ],
    )
    func refused(text: String) {
        #expect(EventID(text) == nil)
    }

    @Test("order is by attempt, then by sequence")
    func order() {
        let ids = ["0-0", "0-1", "0-2", "1-0", "1-1", "1-9", "1-10", "2-0", "10-0"].compactMap { EventID($0) }
        #expect(ids.count == 9)
        #expect(ids.shuffled().sorted() == ids)
        #expect(EventID.queued.description == "0-1")
        #expect(EventID(attempt: 0, sequence: 2).description == "0-2")
        #expect(EventID(attempt: 3, sequence: 4).next == EventID(attempt: 3, sequence: 5))
    }

    @Test(
        "an event follows another only if none can exist between them",
        arguments: [
            ("0-1", "0-0", true), ("0-1", "1-0", false), ("1-0", "0-1", true), ("1-1", "1-0", true),
            ("1-2", "1-0", false), ("1-1", "1-1", false), ("1-0", "1-1", false), ("2-1", "1-1", false),
            // Tokens of attempt 1 may have come in between.
            ("2-0", "1-3", false), ("2-0", "0-1", false), ("1-0", "0-0", false),
        ],
    )
    func follows(id: String, previous: String, expected: Bool) throws {
        let id = try #require(EventID(id))
        let previous = try #require(EventID(previous))
        #expect(id.follows(previous) == expected)
    }
}

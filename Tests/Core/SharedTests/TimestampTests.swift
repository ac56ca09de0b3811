import Shared
import TestSupport
import Testing

@Suite("Timestamps", .tags(.unit))
struct TimestampTests {
    @Test(
        "known moments are written as RFC 3339 in UTC",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"),
            (1, "1970-01-01T00:00:00.001Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (-1000, "1969-12-31T23:59:59.000Z"),
            (-86_400_001, "1969-12-30T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_799_999, "2000-02-29T23:59:59.999Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (1_709_164_800_000, "2024-02-29T00:00:00.000Z"),
            (1_795_253_400_250, "2026-11-21T09:30:00.250Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] as [(Int64, String)],
    )
    func known(milliseconds: Int64, text: String) {
        #expect(Timestamp(milliseconds: milliseconds).description == text)
    }

    @Test("text sorts as time does")
    func order() {
        let moments = [-62_135_596_800_000, -1, 0, 999, 1000, 951_782_400_000].map { Timestamp(milliseconds: $0) }
        #expect(moments.shuffled().sorted() == moments)
        #expect(moments.map(\.description).sorted() == moments.map(\.description))
    }
}

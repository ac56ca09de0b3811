import TestSupport
import Testing
import Time

@Suite("RFC 3339", .tags(.unit))
struct RFC3339Tests {
    @Test(
        "times are read with fraction and offset",
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("1970-01-01t00:00:00.001z", 1), ("1969-12-31T23:59:59.999Z", -1),
            ("2000-02-29T23:59:59.999Z", 951_868_799_999), ("2100-03-01T00:00:00.000Z", 4_107_542_400_000),
            ("2026-11-21T09:30:00.25Z", 1_795_253_400_250), ("2026-11-21T09:30:00.2509999Z", 1_795_253_400_250),
            ("2026-11-21T10:30:00.250+01:00", 1_795_253_400_250), ("2026-11-21T04:00:00-05:30", 1_795_253_400_000),
            ("0000-03-01T00:00:00Z", -62_162_035_200_000), ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000),
        ] as [(String, Int64)]
    )
    func times(text: String, milliseconds: Int64) {
        #expect(RFC3339.milliseconds(text) == milliseconds)
    }

    @Test(
        "what is no time is refused",
        arguments: [
            "", "2026-11-21", "2026-11-21T09:30Z", "2026-11-21T09:30:00", "2026-11-21 09:30:00Z",
            "2026-11-21T24:00:00Z", "2026-11-21T09:60:00Z", "2026-11-21T09:30:61Z", "2026-11-21T09:30:00.Z",
            "2026-11-21T09:30:00+0100", "2026-11-21T09:30:00+24:00", "2026-11-21T09:30:00Z ", "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-11-31T00:00:00Z", "+026-11-21T09:30:00Z",
            "2026-11-2１T09:30:00Z", "1900-02-29T00:00:00Z",
        ]
    )
    func noTime(text: String) {
        #expect(RFC3339.milliseconds(text) == nil)
    }

    @Test("days are counted from 1970 on, as the calendar writes them")
    func days() {
        var text: [UInt8] = []
        for day in stride(from: -719_000, through: 2_900_000, by: 997) {
            text.removeAll(keepingCapacity: true)
            CalendarTime(millisecondsSince1970: Int64(day) * 86_400_000).appendRFC3339(to: &text)
            #expect(RFC3339.day(String(decoding: text.prefix(10), as: UTF8.self)) == day)
        }
        for text in ["2026-11-21T00:00:00Z", "2026-1-1", "20261121", "2026-11-21x"] {
            #expect(RFC3339.day(text) == nil)
        }
    }
}

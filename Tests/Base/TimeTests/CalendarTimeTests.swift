import TestSupport
import Testing
import Time

@Suite("Calendar time", .tags(.unit))
struct CalendarTimeTests {
    @Test(
        "known moments are written as RFC 3339 and as HTTP dates",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
            (-1, "1969-12-31T23:59:59.999Z", "Wed, 31 Dec 1969 23:59:59 GMT"),
            (-86_400_001, "1969-12-30T23:59:59.999Z", "Tue, 30 Dec 1969 23:59:59 GMT"),
            (951_782_400_007, "2000-02-29T00:00:00.007Z", "Tue, 29 Feb 2000 00:00:00 GMT"),
            (4_107_542_399_000, "2100-02-28T23:59:59.000Z", "Sun, 28 Feb 2100 23:59:59 GMT"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z", "Mon, 01 Mar 2100 00:00:00 GMT"),
            // The example of RFC 9110, section 5.6.7.
            (784_111_777_000, "1994-11-06T08:49:37.000Z", "Sun, 06 Nov 1994 08:49:37 GMT"),
            (1_795_264_496_789, "2026-11-21T12:34:56.789Z", "Sat, 21 Nov 2026 12:34:56 GMT"),
        ] as [(Int64, String, String)],
    )
    func known(milliseconds: Int64, timestamp: String, date: String) {
        let time = CalendarTime(millisecondsSince1970: milliseconds)
        #expect(text(time.appendRFC3339) == timestamp)
        #expect(text(time.appendHTTPDate) == date)
        #expect(text(time.appendTimeOfDay) == timestamp.dropFirst(11).dropLast())
    }

    @Test(
        "a year outside of the formats becomes the first or the last",
        arguments: [
            (.min, "0000-01-01T00:00:00.000Z"), (-62_167_219_200_001, "0000-01-01T00:00:00.000Z"),
            (253_402_300_800_000, "9999-12-31T23:59:59.999Z"), (.max, "9999-12-31T23:59:59.999Z"),
        ] as [(Int64, String)],
    )
    func outside(milliseconds: Int64, timestamp: String) {
        #expect(text(CalendarTime(millisecondsSince1970: milliseconds).appendRFC3339) == timestamp)
    }

    @Test("each day of four centuries follows the one before")
    func days() {
        let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        var (year, month, day) = (1970, 1, 1)
        for index in 0..<146_097 {
            let time = CalendarTime(millisecondsSince1970: Int64(index) * 86_400_000 + 86_399_000)
            guard time.year == year, time.month == month, time.day == day, time.hour == 23, time.second == 59,
                time.weekday == (index + 4) % 7
            else {
                Issue.record("day \(index) is not \(year)-\(month)-\(day)")
                return
            }
            let isLeap = year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400))
            day += 1
            if day > lengths[month - 1] + (month == 2 && isLeap ? 1 : 0) { (month, day) = (month + 1, 1) }
            if month > 12 { (year, month) = (year + 1, 1) }
        }
    }

    private func text(_ append: (inout [UInt8]) -> Void) -> String {
        var bytes: [UInt8] = []
        append(&bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}

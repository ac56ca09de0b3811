import TestSupport
import Testing
import Time

@Suite("Units of durations", .tags(.unit))
struct DurationTests {
    @Test(
        "whole numbers are rounded up",
        arguments: [
            (.zero, 0, 0, 0, 0),
            (Duration(secondsComponent: 0, attosecondsComponent: 1), 1, 1, 1, 1),
            (.nanoseconds(1), 1, 1, 1, 1),
            (.microseconds(1), 1, 1, 1, 1_000),
            (.milliseconds(1), 1, 1, 1_000, 1_000_000),
            (.nanoseconds(1_000_001), 1, 2, 1_001, 1_000_001),
            (.milliseconds(1_500), 2, 1_500, 1_500_000, 1_500_000_000),
            (.seconds(2), 2, 2_000, 2_000_000, 2_000_000_000),
            (.nanoseconds(-1), 0, 0, 0, -1),
            (.milliseconds(-1_500), -1, -1_500, -1_500_000, -1_500_000_000),
            (.microseconds(-1_001), 0, -1, -1_001, -1_001_000),
        ] as [(Duration, Int64, Int64, Int64, Int64)],
    )
    func whole(duration: Duration, seconds: Int64, milliseconds: Int64, microseconds: Int64, nanoseconds: Int64) {
        #expect(duration.wholeSeconds == seconds)
        #expect(duration.wholeMilliseconds == milliseconds)
        #expect(duration.wholeMicroseconds == microseconds)
        #expect(duration.wholeNanoseconds == nanoseconds)
    }

    @Test("a duration outside the range of the number becomes the nearest one inside")
    func saturation() {
        #expect(Duration.seconds(Int64.max).wholeMilliseconds == .max)
        #expect(Duration.seconds(Int64.min).wholeMilliseconds == .min)
        #expect(Duration.nanoseconds(Int64.max).wholeNanoseconds == .max)
        let last = Duration.nanoseconds(Int64.max) + .nanoseconds(1)
        #expect(last.wholeNanoseconds == .max && (.zero - last - .seconds(1)).wholeNanoseconds == .min)
    }

    @Test(
        "seconds keep their fraction",
        arguments: [(.zero, 0), (.milliseconds(1_500), 1.5), (.milliseconds(-250), -0.25)] as [(Duration, Double)]
    )
    func fraction(duration: Duration, seconds: Double) {
        #expect(duration.inSeconds == seconds)
    }
}

// The conversions of `Duration` into numbers.
//
// Whole numbers are rounded up. A limit is therefore never shortened, and one above zero never becomes 0, which libcurl,
// libuv and Redis take for "no limit" or "at once". Measured times follow the same rule. A value outside the range of
// `Int64` becomes the nearest one inside.
extension Duration {
    /// Whole seconds, rounded up.
    package var wholeSeconds: Int64 { count(perSecond: 1) }

    /// Whole milliseconds, rounded up.
    package var wholeMilliseconds: Int64 { count(perSecond: 1_000) }

    /// Whole microseconds, rounded up.
    package var wholeMicroseconds: Int64 { count(perSecond: 1_000_000) }

    /// Whole nanoseconds, rounded up.
    package var wholeNanoseconds: Int64 { count(perSecond: 1_000_000_000) }

    /// Seconds with their fraction, as metrics have them.
    package var inSeconds: Double { self / .seconds(1) }

    /// Inlined, so that both divisors are constants.
    @inline(__always)
    private func count(perSecond: Int64) -> Int64 {
        let (seconds, attoseconds) = components
        let (units, overflows) = seconds.multipliedReportingOverflow(by: perSecond)
        guard !overflows else { return seconds < 0 ? .min : .max }
        let unit = 1_000_000_000_000_000_000 / perSecond
        let (fraction, rest) = attoseconds.quotientAndRemainder(dividingBy: unit)
        let (sum, sumOverflows) = units.addingReportingOverflow(fraction + (rest > 0 ? 1 : 0))
        return sumOverflows ? (seconds < 0 ? .min : .max) : sum
    }
}

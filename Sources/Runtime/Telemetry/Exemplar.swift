internal import Time

/// One value of a histogram's bucket and the trace that it was measured in (OpenMetrics 1.0, "Exemplars").
struct Exemplar: Sendable, Equatable {
    /// 32 lower-case hexadecimal digits; with its label's name 40 of the 128 characters that are allowed.
    let traceID: String
    let value: Double
    /// Seconds since 1970 at which the value was taken, by which a scraper knows one that it has seen before.
    let time: Double

    /// Nil where `traceID` is none.
    init?(traceID: String, value: Double) {
        guard traceID.utf8.count == 32,
            traceID.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
        else { return nil }
        self.traceID = traceID
        self.value = value
        time = Double(UnixTime.milliseconds) / 1000
    }
}

internal import Time

/// One value in a bucket of a histogram and the trace in which it was measured (OpenMetrics 1.0, "Exemplars").
struct Exemplar: Sendable, Equatable {
    /// 32 lower-case hexadecimal digits; with the name of its label 40 of the 128 allowed characters.
    let traceID: String
    let value: Double
    /// Time of the measurement in seconds since 1970, by which a scraper recognises an exemplar it has stored before.
    let time: Double

    /// Nil if `traceID` is not a trace id.
    init?(traceID: String, value: Double) {
        guard traceID.utf8.count == 32,
            traceID.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
        else { return nil }
        self.traceID = traceID
        self.value = value
        time = Double(UnixTime.milliseconds) / 1000
    }
}

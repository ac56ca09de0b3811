/// The result of one run.
///
/// Times are in milliseconds; a quantile of nothing is nil.
package struct BenchReport: Sendable {
    package let streams: Int
    package let seconds: Double
    package let completed: Int
    package let tokens: Int
    package let tokenEvents: Int
    package let expectedRate: Int?
    package let firstToken: Quantiles?
    package let providerToClient: Quantiles?
    package let failures: [BenchFailure: Int]

    package struct Quantiles: Sendable {
        package let p50: Double
        package let p99: Double
        package let max: Double

        /// Of samples in ns; nil without any.
        init?(of samples: [Int64]) {
            guard let last = samples.indices.last else { return nil }
            let sorted = samples.sorted()
            func milliseconds(_ quantile: Double) -> Double {
                (Double(sorted[Int(quantile * Double(last))]) / 1000).rounded() / 1000
            }
            p50 = milliseconds(0.5)
            p99 = milliseconds(0.99)
            max = milliseconds(1)
        }
    }

    init(_ measurements: Measurements, options: BenchOptions, seconds: Double) {
        streams = options.streams
        self.seconds = (seconds * 1000).rounded() / 1000
        completed = measurements.completed
        tokens = measurements.tokens
        tokenEvents = measurements.tokenEvents
        expectedRate = options.rate
        firstToken = Quantiles(of: measurements.firstTokenLatencies)
        providerToClient = Quantiles(of: measurements.tokenLatencies)
        failures = measurements.failures
    }

    package var tokensPerSecond: Int { seconds > 0 ? Int((Double(tokens) / seconds).rounded()) : 0 }

    package var failureCount: Int { failures.values.reduce(0, +) }

    /// One line of JSON.
    package var json: String {
        let causes = failures.map { #""\#($0.key)":\#($0.value)"# }.sorted().joined(separator: ",")
        return """
            {"streams":\(streams),"seconds":\(seconds),"completed":\(completed),"tokens":\(tokens),\
            "tokenEvents":\(tokenEvents),"tokensPerSecond":\(tokensPerSecond),\
            "expectedRate":\(expectedRate.map(String.init) ?? "null"),\
            "firstTokenMillis":\(Self.json(firstToken)),"providerToClientMillis":\(Self.json(providerToClient)),\
            "failures":{\(causes)}}
            """
    }

    private static func json(_ quantiles: Quantiles?) -> String {
        guard let quantiles else { return "null" }
        return #"{"p50":\#(quantiles.p50),"p99":\#(quantiles.p99),"max":\#(quantiles.max)}"#
    }

    /// A few lines for a terminal.
    package var summary: String {
        let target = expectedRate.map { " of \($0) expected" } ?? ""
        var lines = [
            "\(streams) streams, \(seconds) s measured, \(completed) requests completed",
            "tokens                   \(tokensPerSecond)/s\(target), \(tokens) in \(tokenEvents) events",
            "submission → first token \(Self.text(firstToken))",
            "provider → client        \(Self.text(providerToClient))",
        ]
        let causes = failures.map { "\($0.value) × \($0.key)" }.sorted().joined(separator: ", ")
        lines.append("failures                 \(failures.isEmpty ? "none" : causes)")
        return lines.joined(separator: "\n")
    }

    private static func text(_ quantiles: Quantiles?) -> String {
        guard let quantiles else { return "no sample" }
        return "p50 \(quantiles.p50) ms, p99 \(quantiles.p99) ms, max \(quantiles.max) ms"
    }
}

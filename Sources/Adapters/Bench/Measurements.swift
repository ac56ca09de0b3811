internal import Time

/// Everything the students of one run have seen.
///
/// Loop-owned.
final class Measurements {
    /// Only while this is set do samples and tokens count.
    var isMeasuring = false
    /// Provider to client, in ns.
    private(set) var tokenLatencies: [Int64] = []
    /// Submission to first token, in ns.
    private(set) var firstTokenLatencies: [Int64] = []
    private(set) var tokens = 0
    private(set) var tokenEvents = 0
    /// Requests that ended with `completed`.
    private(set) var completed = 0
    private(set) var failures: [BenchFailure: Int] = [:]

    /// The monotonic clock in ns, which the mock provider's timestamps use, too.
    static func now() -> Int64 { MonotonicTime.nanoseconds }

    func takeToken(_ event: StreamedEvent, arrival: Int64) {
        guard isMeasuring else { return }
        tokenEvents += 1
        event.forEachTimestamp { sent in
            tokens += 1
            tokenLatencies.append(max(0, arrival - sent))
        }
    }

    func takeFirstToken(after latency: Int64) {
        if isMeasuring { firstTokenLatencies.append(latency) }
    }

    func takeCompletion() {
        if isMeasuring { completed += 1 }
    }

    /// Counts a failure, also outside the measured time: a run with errors is not a measurement.
    func takeFailure(_ failure: BenchFailure) { failures[failure, default: 0] += 1 }
}

/// What can go wrong with one simulated student.
package enum BenchFailure: Error, Hashable, Sendable, CustomStringConvertible {
    case connecting
    /// The connection was lost before the answer was complete.
    case connectionLost
    /// Not HTTP, or not what the contract promises.
    case malformedResponse
    case status(Int)
    /// The stream ended with `failed` or `cancelled`.
    case ended(String)
    /// An event's id was not the one after the last.
    case misordered

    package var description: String {
        switch self {
        case .connecting: "could not connect"
        case .connectionLost: "connection lost"
        case .malformedResponse: "malformed response"
        case .status(let code): "status \(code)"
        case .ended(let name): "ended with \(name)"
        case .misordered: "event out of order"
        }
    }
}

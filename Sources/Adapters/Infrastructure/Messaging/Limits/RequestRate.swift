internal import Time

/// A number of requests in a time, evenly spread with bursts: by the Generic Cell Rate Algorithm (ITU-T I.371), a caller
/// that was idle may send all of them at once, and one more after each interval.
package struct RequestRate: Sendable, Hashable {
    /// At least 1.
    package let count: Int
    package let period: Duration

    package init(count: Int, period: Duration) {
        precondition(count > 0, "a rate admits at least one request")
        self.count = count
        self.period = period
    }

    package static func perMinute(_ count: Int) -> RequestRate { RequestRate(count: count, period: .seconds(60)) }

    /// In whole microseconds, rounded down, so that the caller is never refused early; at least one, so a rate above a
    /// million a second is a million.
    var intervalMicroseconds: Int { max(1, Int(period.wholeMicroseconds) / count) }
}

/// The limits of each user; nil where a limit is off.
package struct UserLimits: Sendable, Equatable {
    /// Submissions; a fraction where the rate is less than one a minute or not a whole number.
    package let requestsPerMinute: Double?
    /// Requests queued or running.
    package let maxActive: Int?
    /// Provider tokens per UTC day, input and output.
    package let tokensPerDay: Int?

    package init(requestsPerMinute: Double?, maxActive: Int?, tokensPerDay: Int?) {
        self.requestsPerMinute = requestsPerMinute
        self.maxActive = maxActive
        self.tokensPerDay = tokensPerDay
    }
}

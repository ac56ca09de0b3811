package import Shared

/// What a user used on one UTC day.
package struct UsageDay: Sendable, Equatable {
    package let day: UTCDay
    /// Requests that were accepted.
    package let requests: Int
    /// Provider tokens of all attempts.
    package let inputTokens: Int
    package let outputTokens: Int

    package init(day: UTCDay, requests: Int, inputTokens: Int, outputTokens: Int) {
        self.day = day
        self.requests = requests
        self.inputTokens = inputTokens
        self.outputTokens = outputTokens
    }
}

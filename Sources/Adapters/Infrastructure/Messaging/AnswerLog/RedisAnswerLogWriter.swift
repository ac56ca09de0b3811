package import Application
internal import EventLoop
package import Telemetry

/// Writes answer logs to Redis, on the loop's command connection.
package struct RedisAnswerLogWriter: AnswerLogWriter {
    private let store: RedisStore
    private let backoff: Backoff
    private let appends: Histogram?

    /// `appends` takes how many of the provider's tokens are joined in each append.
    package init(store: RedisStore, backoff: Backoff, appends: Histogram? = nil) {
        self.store = store
        self.backoff = backoff
        self.appends = appends
    }

    package func writer(for claim: JobClaim) -> any AnswerWriter {
        RedisAnswerWriter(store: store, claim: claim, backoff: backoff, appends: appends)
    }
}

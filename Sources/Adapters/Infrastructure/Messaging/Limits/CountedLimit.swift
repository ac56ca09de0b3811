internal import Application

/// One limit of a caller, and the key of its counter.
struct CountedLimit: Equatable {
    enum Rule: Equatable {
        case rate(RequestRate)
        /// Requests queued or running.
        case active(Int)
        /// Provider tokens per UTC day.
        case tokens(Int)
    }

    /// How long a client waits before it retries while all places are taken: how soon one is free is not known.
    private static let activeRetry = Duration.seconds(2)
    private static let day = Duration.seconds(86_400)

    /// As ``LimitReached/name``.
    let name: String
    let counter: String
    let rule: Rule

    /// What the refused client reads; a nil `retryAfter` is not known.
    func reached(retryAfter: Duration? = nil) -> LimitReached {
        let (kind, quota, window): (LimitReached.Kind, Int, Duration?) =
            switch rule {
            case .rate(let rate): (.rate, rate.count, rate.period)
            case .active(let quota): (.active, quota, nil)
            case .tokens(let quota): (.tokens, quota, Self.day)
            }
        return LimitReached(
            kind: kind,
            name: name,
            quota: quota,
            window: window,
            retryAfter: retryAfter ?? Self.activeRetry,
        )
    }
}

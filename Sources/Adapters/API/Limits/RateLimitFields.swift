internal import Application
internal import Shared
internal import Time

/// The header fields of a quota (draft-ietf-httpapi-ratelimit-headers-10).
///
/// ```
///  RateLimit-Policy: "user";q=60;w=60
///  RateLimit: "user";r=0;t=1
/// ```
struct RateLimitFields {
    let policy: String
    let limit: String

    init(_ standing: RateStanding) {
        let window = Self.seconds(standing.window)
        policy = "\"\(standing.name)\";q=\(standing.quota);w=\(window)"
        limit = "\"\(standing.name)\";r=\(standing.remaining);t=\(Self.seconds(standing.resetAfter))"
    }

    /// Of a quota of which nothing is left.
    ///
    /// Policies of one caller have different names.
    init(_ reached: LimitReached) {
        let name: String
        let unit: String
        switch reached.kind {
        case .rate: (name, unit) = (reached.name, "")
        case .active: (name, unit) = ("\(reached.name)-active", ";qu=\"concurrent-requests\"")
        case .tokens: (name, unit) = ("\(reached.name)-tokens", ";qu=\"tokens\"")
        }
        let window = reached.window.map { ";w=\(Self.seconds($0))" } ?? ""
        policy = "\"\(name)\";q=\(reached.quota)\(window)\(unit)"
        limit = "\"\(name)\";r=0;t=\(Self.retrySeconds(reached))"
    }

    var entries: [(String, String)] { [("RateLimit", limit), ("RateLimit-Policy", policy)] }

    /// Whole seconds for `Retry-After`: rounded up, at least 1.
    static func retrySeconds(_ reached: LimitReached) -> Int { max(1, seconds(reached.retryAfter)) }

    private static func seconds(_ duration: Duration) -> Int { Int((duration.wholeMilliseconds + 999) / 1000) }
}

extension APIProblem {
    /// The 429 of a limit.
    static func limitReached(_ reached: LimitReached) -> APIProblem {
        let (kind, detail) = describe(reached)
        var problem = APIProblem(kind, detail)
        problem.headers.append(("Retry-After", String(RateLimitFields.retrySeconds(reached))))
        problem.headers += RateLimitFields(reached).entries
        return problem
    }

    private static func describe(_ reached: LimitReached) -> (ProblemKind, String) {
        let subject =
            switch reached.name {
            case "key": "This API key"
            case "address": "Your network address"
            case "account": "This account"
            case _: "Your account"
            }
        let retry = "Try again in \(RateLimitFields.retrySeconds(reached)) s."
        switch reached.kind {
        case .rate: return (.rateLimited, "\(subject) has sent too many requests. \(retry)")
        case .active:
            let count = "\(subject) has \(reached.quota) problems that wait or run."
            return (.tooManyActive, "\(count) Wait for an answer, or abort one of them.")
        case .tokens:
            return (.budgetExhausted, "\(subject) has used its \(reached.quota) tokens of this UTC day. \(retry)")
        }
    }
}

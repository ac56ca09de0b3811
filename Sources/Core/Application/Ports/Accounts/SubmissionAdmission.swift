package import Domain
package import Shared

/// Decides whether a user may submit one more problem: limits of rate, of active requests and of daily tokens, of the user
/// and of the API key, counted in all replicas together.
///
/// All limits of one submission are checked and charged together or not at all.
package protocol SubmissionAdmission {
    /// Charges a submission before it is published.
    ///
    /// Throws where a limit is reached; nothing is charged then. The reservation of the result is stored with the request:
    /// the persister that archives its end settles it.
    func admit(_ charge: SubmissionCharge) async throws(AdmissionFailure) -> Admission
    /// Gives back what ``admit(_:)`` charged for a submission that was not published, but for its place in the rate.
    ///
    /// At most once; what is lost with the replica expires by itself.
    func withdraw(_ charge: SubmissionCharge) async
}

/// An admitted submission.
package struct Admission: Sendable, Equatable {
    /// No limit applies to the submitter.
    package static let unlimited = Admission(reservation: nil, rate: nil)

    /// Nil where no tokens were reserved.
    package let reservation: TokenReservation?
    /// Of the user, or of the address of ``UserID/anonymous``; nil without a limit of its rate.
    package let rate: RateStanding?

    package init(reservation: TokenReservation?, rate: RateStanding?) {
        self.reservation = reservation
        self.rate = rate
    }
}

/// What is left of a rate.
package struct RateStanding: Sendable, Equatable {
    /// As ``LimitReached/name``.
    package let name: String
    package let quota: Int
    package let window: Duration
    /// Requests that would be admitted now.
    package let remaining: Int
    /// When the whole quota is available again.
    package let resetAfter: Duration

    package init(name: String, quota: Int, window: Duration, remaining: Int, resetAfter: Duration) {
        self.name = name
        self.quota = quota
        self.window = window
        self.remaining = remaining
        self.resetAfter = resetAfter
    }
}

/// What one submission counts against.
package struct SubmissionCharge: Sendable {
    package let submitter: Submitter
    package let request: CorrelationID
    /// Provider tokens to reserve: an estimate of input and output.
    package let tokens: Int

    package init(submitter: Submitter, request: CorrelationID, tokens: Int) {
        self.submitter = submitter
        self.request = request
        self.tokens = tokens
    }
}

/// Whose limits a submission counts against.
package struct Submitter: Sendable, Equatable {
    /// The user's limits of rate, active requests and daily tokens apply; ``UserID/anonymous`` is limited by address.
    package let user: UserID
    /// Nil without an API key.
    package let key: Key?
    /// The client's address; empty where it is not known.
    package let address: String

    package struct Key: Sendable, Equatable {
        package let id: APIKeyID
        /// Count all end users of the key together.
        package let limits: KeyLimits

        package init(id: APIKeyID, limits: KeyLimits) {
            self.id = id
            self.limits = limits
        }
    }

    package init(user: UserID, key: Key? = nil, address: String = "") {
        self.user = user
        self.key = key
        self.address = address
    }
}

package enum AdmissionFailure: Error, Equatable {
    case refused(LimitReached)
    /// The counters cannot be reached; nothing was charged.
    case unavailable
}

/// The limit that a submission would exceed.
package struct LimitReached: Sendable, Equatable {
    package enum Kind: String, Sendable, CaseIterable {
        /// Requests in a time.
        case rate
        /// Requests at once.
        case active
        /// Provider tokens per UTC day.
        case tokens
    }

    package let kind: Kind
    /// Whose limit it is, a word of a closed set: `user`, `key`, `address` or `account`.
    package let name: String
    /// The limit: requests, or tokens.
    package let quota: Int
    /// The time that the quota is for; nil for requests at once.
    package let window: Duration?
    /// When the same request can be admitted at the earliest.
    package let retryAfter: Duration

    package init(kind: Kind, name: String, quota: Int, window: Duration?, retryAfter: Duration) {
        self.kind = kind
        self.name = name
        self.quota = quota
        self.window = window
        self.retryAfter = retryAfter
    }
}

package import Application
internal import RedisClient
package import Shared

/// Charges submissions to counters in Redis, which all replicas share.
///
/// ```
///  charge_limits ──► ok ─────────► admitted
///      ▲     ├────► refused ────► rejected
///      │     └────► full ──► read_statuses of its members ──┬─ none has ended ► rejected
///      └───────────────────── remove those that ended ◄─────┘
/// ```
/// A request leaves a set of active requests only there, so its end costs nothing. Loop-owned.
package final class RedisSubmissionAdmission: SubmissionAdmission {
    private let store: RedisStore
    private let limits: SubmissionLimits
    private let verification: ActiveVerification
    private let day: UTCDay?

    /// A nil `day` is that of Redis's clock.
    package init(store: RedisStore, limits: SubmissionLimits, day: UTCDay? = nil) {
        self.store = store
        self.limits = limits
        self.day = day
        verification = ActiveVerification(store: store)
    }

    package func admit(_ charge: SubmissionCharge) async throws(AdmissionFailure) -> Admission {
        let own = SubmitterLimits(of: charge.submitter, limits, store.keys)
        guard !own.limits.isEmpty else { return .unlimited }
        for limit in own.limits where verification.remembersFull(limit) { throw .refused(limit.reached()) }
        var isVerified = false
        while true {
            switch try await reply(to: charge, own) {
            case .charged(let standings):
                return Admission(reservation: own.reservation, rate: own.standing(standings))
            case .refused(let index, let retryAfter):
                throw .refused(own.limits[index].reached(retryAfter: retryAfter))
            case .full(let time, let sets):
                let full = sets.map { (limit: own.limits[$0.index], members: $0.members) }
                // Sets that others have filled again since count as full.
                let first = try await isVerified ? full.first?.limit : firstFull(full, at: time, own.keys.partition)
                if let first { throw .refused(first.reached()) }
                isVerified = true
            }
        }
    }

    /// The first set that has no ended members to remove.
    private func firstFull(
        _ full: [(limit: CountedLimit, members: [ActiveMember])],
        at time: Int,
        _ partition: Int
    ) async throws(AdmissionFailure) -> CountedLimit? {
        do {
            return try await verification.firstFull(of: full, in: partition, at: time)
        } catch {
            throw .unavailable
        }
    }

    private func reply(
        to charge: SubmissionCharge,
        _ own: SubmitterLimits
    ) async throws(AdmissionFailure) -> ChargeLimitsCall.Reply {
        let call = ChargeLimitsCall(
            own.limits,
            in: own.keys.partition,
            request: charge.request.description,
            tokens: charge.tokens,
            day: day,
        )
        do {
            return try await store.call(call)
        } catch {
            throw .unavailable
        }
    }

    package func withdraw(_ charge: SubmissionCharge) async {
        let own = SubmitterLimits(of: charge.submitter, limits, store.keys)
        let connection = store.connection(of: own.keys.partition)
        var settlements: [SettleTokensCall.Settlement] = []
        for limit in own.limits {
            switch limit.rule {
            case .rate: break
            // Sent without waiting: the client's next request travels behind it on the same connection.
            case .active: connection.send(RedisCommand("ZREM", limit.counter, charge.request.description)) { _ in }
            case .tokens: settlements.append(.init(counter: limit.counter, request: charge.request, tokensUsed: 0))
            }
        }
        if !settlements.isEmpty { store.send(SettleTokensCall(settlements, in: own.keys.partition)) { _ in } }
    }
}

extension SubmitterLimits {
    /// The standing of the first rate: the user's, or that of the address.
    fileprivate func standing(_ standings: [ChargeLimitsCall.Standing]) -> RateStanding? {
        for limit in limits {
            guard case .rate(let rate) = limit.rule, limit.name != "key", let first = standings.first else { continue }
            return RateStanding(
                name: limit.name,
                quota: rate.count,
                window: rate.period,
                remaining: first.remaining,
                resetAfter: first.resetAfter,
            )
        }
        return nil
    }
}

package import Application
package import Domain
internal import Shared

/// Counts requests with passwords by address and by account name in Redis, and in this process while Redis cannot count
/// them: a service whose Redis is away must neither lock its users out nor let passwords be guessed without limit.
///
/// Loop-owned; `local` is the process's.
package final class RedisCredentialLimits: AddressAttempts, CredentialAttempts {
    private let store: RedisStore
    private let rate: RequestRate
    private let local: LocalRates

    package init(store: RedisStore, rate: RequestRate, local: LocalRates) {
        self.store = store
        self.rate = rate
        self.local = local
    }

    package func admit(from address: String) async -> LimitReached? { await count("address", .address(address)) }

    /// Counts by e-mail address alone, so that an attacker gains nothing from further client addresses.
    package func admit(_ email: EmailAddress, from _: String) async throws(CredentialAttemptFailure) {
        if let reached = await count("account", .email(email)) { throw .tooMany(reached) }
    }

    private func count(_ name: String, _ subject: Fingerprint) async -> LimitReached? {
        let keys = store.keys.counters(of: subject)
        let counter = keys.rate(CounterKeys.name(subject))
        let limit = CountedLimit(name: name, counter: counter, rule: .rate(rate))
        do {
            let call = ChargeLimitsCall([limit], in: keys.partition, request: "", tokens: 0)
            switch try await store.call(call) {
            case .charged: return nil
            case .refused(_, let retryAfter): return limit.reached(retryAfter: retryAfter)
            case .full: return limit.reached()
            }
        } catch {
            return local.admit(subject).map { limit.reached(retryAfter: $0) }
        }
    }
}

/// Admits everything: for a replica whose limit is off.
package struct NoCredentialLimits: AddressAttempts, CredentialAttempts {
    package init() {}
    package func admit(from _: String) async -> LimitReached? { nil }
    package func admit(_: EmailAddress, from _: String) async throws(CredentialAttemptFailure) {}
}

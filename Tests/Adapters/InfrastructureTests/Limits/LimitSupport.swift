import Application
import Domain
import RedisClient
import Shared

@testable import Infrastructure

extension RedisBench {
    func admission(_ limits: SubmissionLimits, day: UTCDay? = nil) -> RedisSubmissionAdmission {
        RedisSubmissionAdmission(store: store, limits: limits, day: day)
    }

    /// Publishes a request as the use case does after its admission.
    func publishAdmitted(_ request: MathRequest, _ admission: Admission) async throws {
        var request = request
        request.reservation = admission.reservation
        _ = try await publisher().publish(request, in: .new, as: nil)
    }

    /// The number of members of all sets of active requests.
    func activeCount() async throws -> Int {
        var count = 0
        for key in try await redis("KEYS", "lemma:*:active:*").array ?? [] {
            count += try await redis("ZCARD", key.string ?? "").integer ?? 0
        }
        return count
    }

    /// The sums of all counters of tokens, used and reserved, by the order of their keys.
    func tokenSums() async throws -> [Int] {
        let keys = (try await redis("KEYS", "lemma:*:tokens:*").array ?? []).compactMap(\.string).sorted()
        var sums: [Int] = []
        for key in keys { sums.append(try await redis("HGET", key, "sum").integer ?? -1) }
        return sums
    }
}

/// What an admission led to.
enum AdmissionResult: Equatable {
    case admitted(RateStanding?)
    case refused(LimitReached)
    case unavailable

    var refusal: LimitReached? {
        if case .refused(let reached) = self { reached } else { nil }
    }

    var isAdmitted: Bool {
        if case .admitted = self { true } else { false }
    }
}

extension RedisSubmissionAdmission {
    func result(_ submitter: Submitter, _ request: MathRequest, tokens: Int = 100) async -> AdmissionResult {
        do {
            let charge = SubmissionCharge(submitter: submitter, request: request.correlationID, tokens: tokens)
            return .admitted(try await admit(charge).rate)
        } catch {
            switch error {
            case .refused(let reached): return .refused(reached)
            case .unavailable: return .unavailable
            }
        }
    }
}

/// Submitters with accounts of their own.
struct Callers {
    private static let identifiers = IdentifierFactory(clock: SystemClock(), random: SecureRandomSource())

    let account: AccountID = identifiers.make()

    var user: Submitter { Submitter(user: UserID(account)) }

    static func key(_ limits: KeyLimits) -> Submitter.Key { .init(id: identifiers.make(), limits: limits) }

    func endUser(_ name: String, _ key: Submitter.Key) -> Submitter {
        Submitter(user: UserID(endUser: name, of: account), key: key)
    }

    static func anonymous(_ address: String) -> Submitter { Submitter(user: .anonymous, address: address) }
}

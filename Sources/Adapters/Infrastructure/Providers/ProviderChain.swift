package import Application
package import EventLoop

/// Solves with the first of its providers that can.
///
/// ```
///  chain ─► race (fall-back, hedging) ─► provider: retries ─► breaker ─► slots ─► call (limits of time, usage) ─► client
/// ```
/// Each piece is a file of `Guards`. Loop-owned; what the loops of a process share is in ``ProviderGate``.
package struct ProviderChain: MathSolver {
    private let providers: [GuardedProvider]
    private let hedgeAfter: Duration?
    private let loop: Loop
    private let clock: any MonotonicClock

    /// `providers` are in the order of preference, at least one.
    ///
    /// With `hedgeAfter`, so much silence of one lets the next begin as well.
    package init(
        _ providers: [GuardedProvider],
        hedgeAfter: Duration?,
        loop: Loop,
        clock: any MonotonicClock
    ) {
        precondition(!providers.isEmpty, "a chain of providers needs at least one")
        self.providers = providers
        self.hedgeAfter = hedgeAfter
        self.loop = loop
        self.clock = clock
    }

    package var providerNames: [String] { providers.map(\.identity.name) }

    package func firstChoice(requested: String?) -> ProviderIdentity { candidates(requested)[0].identity }

    /// The one that was asked for, or all of them.
    private func candidates(_ requested: String?) -> [GuardedProvider] {
        guard let requested, let provider = providers.first(where: { $0.identity.name == requested }) else {
            return providers
        }
        return [provider]
    }

    package func solve(
        _ request: ProviderRequest,
        requested: String?,
        into sink: any AnswerSink
    ) async throws(AIFailure) -> Solution {
        let race = ProviderRace(
            request,
            candidates: candidates(requested),
            into: sink,
            hedgeAfter: hedgeAfter,
            loop: loop,
            clock: clock,
        )
        do throws(ProviderFailure) {
            return try await race.run()
        } catch {
            throw AIFailure(error)
        }
    }
}

extension AIFailure {
    /// The longest pause that a request waits at a provider's demand.
    private static let retryAfterMax = Duration.seconds(60)

    fileprivate init(_ failure: ProviderFailure) {
        switch failure {
        case .cancelled: self = .cancelled
        case .timedOut(let detail): self = .timedOut(detail: detail)
        case .rejected(let detail): self = .rejected(detail: detail)
        case .unavailable(let detail, let pause?), .busy(let detail, let pause?):
            self = .overloaded(detail: detail, retryAfter: min(pause, Self.retryAfterMax))
        case .noRoom(let detail, let pause): self = .noRoom(detail: detail, retryAfter: pause)
        case .unavailable(let detail, nil), .busy(let detail, nil), .refused(let detail), .adapted(let detail, _):
            self = .failed(detail: detail)
        }
    }
}

package import Application
internal import Domain
package import EventLoop
internal import Instrumentation
internal import Telemetry
internal import Tracing

/// A provider behind its guards: retries, pause, breaker, call slots and limits.
///
/// ```
///  retry ─► pause over? ─► breaker: admitted? ─► slot free? ─► call under limits ─► verdict, usage
///    ▲           └─ no ─► the next provider ◄─ no ─┘                    │
///    └───────────────── pause, where another try can help ◄─────────────┘
/// ```
package struct GuardedProvider {
    /// The delay of a request that no provider has room for.
    private static let busyPause = Duration.seconds(5)
    /// The number of times a request is sent again because the provider rejected a part of it: more than it has parts.
    private static let adaptationsMax = 8

    private let client: any AIStreamingClient
    private let gate: ProviderGate
    private let limits: CallLimits
    private let retries: RetryPolicy
    private let loop: Loop
    private let clock: any MonotonicClock
    private let tracing: CallTracing?

    package init(
        _ client: any AIStreamingClient,
        gate: ProviderGate,
        limits: CallLimits,
        retries: RetryPolicy,
        loop: Loop,
        clock: any MonotonicClock,
        tracing: CallTracing? = nil
    ) {
        self.client = client
        self.gate = gate
        self.limits = limits
        self.retries = retries
        self.loop = loop
        self.clock = clock
        self.tracing = tracing
    }

    var identity: ProviderIdentity { client.identity }

    /// Notes that the call begins because another provider is late.
    func countHedge() { gate.metrics.hedges.increment() }

    /// Answers into `lane`; `mayWait` for a slot where no other provider is left.
    func solve(
        _ request: ProviderRequest,
        into lane: RaceLane,
        mayWait: Bool
    ) async throws(ProviderFailure) -> Solution {
        var request = request
        var retry = 0
        var adaptations = 0
        while true {
            try await keepPause(request, mayWait: mayWait)
            let admission = try admit(request)
            do throws(ProviderFailure) {
                try await takeSlot(for: request, mayWait: mayWait)
            } catch {
                gate.breaker.settle(admission, .none, at: clock.now)
                throw error
            }
            let span = tracing?.begin(request, of: identity, retry: retry + adaptations)
            let traced = span.map { request.within($0.context) } ?? request
            let (call, result) = await answer(traced, into: lane, admission)
            let account = ProviderAccount(
                provider: identity,
                usage: call.usage(after: result),
                answeringModel: call.answeringModel,
            )
            let outcome = count(traced, result, after: call.elapsed, account.usage, lane)
            if let span { CallTracing.end(span, result, outcome, account) }
            switch result {
            case .success(let reason): return Solution(finishReason: reason, account: account)
            case .failure(let failure):
                lane.take(account)
                if let wish = failure.retryAfter { gate.pause.extend(until: clock.now + wish) }
                if call.hasOutput { throw failure }
                if case .adapted(_, let options) = failure, adaptations < Self.adaptationsMax {
                    request.options = options
                    adaptations += 1
                    gate.metrics.adaptations.increment()
                    gate.metrics.retries.increment()
                    continue
                }
                retry += 1
                // With another provider available no call waits for this one.
                let isPassed = failure.retryAfter != nil && !mayWait
                guard !isPassed, let pause = retries.pause(before: retry, after: failure) else { throw failure }
                gate.metrics.retries.increment()
                do { try await clock.sleep(for: pause) } catch { throw .cancelled }
            }
        }
    }

    /// Makes no call before the time that the provider named: waits if that is soon and no other provider is left.
    private func keepPause(_ request: ProviderRequest, mayWait: Bool) async throws(ProviderFailure) {
        while let rest = gate.pause.rest(at: clock.now) {
            guard mayWait, rest <= RetryPolicy.retryAfterMax else {
                gate.turnAway(request.attempt)
                let detail = "The provider \(identity.name) wants to be left alone for a while."
                throw .busy(detail: detail, retryAfter: rest)
            }
            do { try await clock.sleep(for: retries.wait(for: rest)) } catch { throw .cancelled }
        }
    }

    private func answer(
        _ request: ProviderRequest,
        into lane: RaceLane,
        _ admission: CircuitBreaker.Admission
    ) async -> (ProviderCall, Result<FinishReason, ProviderFailure>) {
        let call = ProviderCall(client, request, into: lane, limits: limits, loop: loop, clock: clock)
        call.onFirstToken = { [gate] delay in
            gate.breaker.sawToken(admission)
            gate.metrics.firstChunkSeconds.observe(delay, exemplar: request.attempt?.trace?.sampledID)
        }
        call.onFurtherToken = { [seconds = gate.metrics.chunkSeconds] in seconds.observe($0) }
        gate.metrics.active.increment()
        let result = await call.run()
        gate.metrics.active.decrement()
        gate.slots.release()
        gate.breaker.settle(admission, CircuitBreaker.Verdict(result), at: clock.now)
        return (call, result)
    }

    private func admit(_ request: ProviderRequest) throws(ProviderFailure) -> CircuitBreaker.Admission {
        if let admission = gate.breaker.admit(at: clock.now) { return admission }
        gate.turnAway(request.attempt)
        throw .unavailable(detail: "The provider \(identity.name) failed too often and is left alone for a while.")
    }

    private func takeSlot(for request: ProviderRequest, mayWait: Bool) async throws(ProviderFailure) {
        if gate.slots.acquire() { return }
        let turn = OneShot<Bool>(loop: loop)
        let turnOnLoop = LoopBound(turn, of: loop)
        guard mayWait, let ticket = gate.slots.enqueue({ [loop] in loop.execute { turnOnLoop.onLoop.succeed(true) } })
        else {
            gate.turnAway(request.attempt)
            let detail = "The provider \(identity.name) has as many calls as it may have."
            throw .noRoom(detail: detail, retryAfter: Self.busyPause)
        }
        let patience = loop.spawn { [clock, limits] in
            if (try? await clock.sleep(for: limits.firstToken)) != nil { turn.succeed(false) }
        }
        defer { patience.cancel() }
        let result = try? await turn.value()
        if result == true { return }
        // The slot may have come in the meantime.
        if !gate.slots.remove(ticket) { gate.slots.release() }
        guard result != nil else { throw .cancelled }
        gate.turnAway(request.attempt)
        let detail = "The provider \(identity.name) had no room for another call in time."
        throw .noRoom(detail: detail, retryAfter: .zero)
    }

    private func count(
        _ request: ProviderRequest,
        _ result: Result<FinishReason, ProviderFailure>,
        after duration: Duration,
        _ usage: TokenUsage,
        _ lane: RaceLane
    ) -> ProviderOutcome {
        gate.metrics.countTokens(
            input: usage.inputTokens,
            output: usage.outputTokens,
            reasoning: usage.reasoningTokens ?? 0,
        )
        let (outcome, detail) = outcome(result, lane)
        gate.count(outcome, after: duration, detail, for: request.attempt)
        return outcome
    }

    private func outcome(
        _ result: Result<FinishReason, ProviderFailure>,
        _ lane: RaceLane
    ) -> (ProviderOutcome, detail: String?) {
        switch result {
        case .success: (.completed, nil)
        case .failure(.cancelled): (lane.isOutrun ? .outrun : .cancelled, nil)
        case .failure(.timedOut(let detail)): (.timedOut, detail)
        case .failure(.unavailable(let detail, _)): (.failed, detail)
        case .failure(.busy(let detail, _)), .failure(.noRoom(let detail, _)): (.busy, detail)
        case .failure(.refused(let detail)), .failure(.adapted(let detail, _)): (.refused, detail)
        case .failure(.rejected(let detail)): (.rejected, detail)
        }
    }
}

extension ProviderFailure {
    /// How long the provider wants no call.
    fileprivate var retryAfter: Duration? {
        switch self {
        case .unavailable(_, let wish), .busy(_, let wish): wish
        case .cancelled, .timedOut, .noRoom, .refused, .adapted, .rejected: nil
        }
    }
}

extension CircuitBreaker.Verdict {
    /// A busy provider is healthy; one that rejects a problem has read it.
    fileprivate init(_ result: Result<FinishReason, ProviderFailure>) {
        switch result {
        case .success, .failure(.rejected): self = .good
        case .failure(.timedOut), .failure(.unavailable), .failure(.refused): self = .bad
        case .failure(.cancelled), .failure(.busy), .failure(.noRoom), .failure(.adapted): self = .none
        }
    }
}

internal import Application
internal import Domain
internal import EventLoop

/// Limits of one provider call.
package struct CallLimits: Sendable {
    /// Connecting included.
    package var firstToken: Duration
    /// Between tokens.
    package var idle: Duration
    package var total: Duration

    package init(firstToken: Duration, idle: Duration, total: Duration) {
        self.firstToken = firstToken
        self.idle = idle
        self.total = total
    }
}

/// One call of one provider, watched by the clock, with what it used.
///
/// Loop-owned.
final class ProviderCall: AnswerSink {
    private let client: any AIStreamingClient
    private let request: ProviderRequest
    private let sink: any AnswerSink
    private let limits: CallLimits
    private let loop: Loop
    private let clock: any MonotonicClock
    private let startedAt: Duration
    private var lastTokenAt: Duration?
    /// True while the store takes nothing: that time is not the provider's.
    private var isWaitingForRoom = false
    private var timeout: ProviderFailure?
    private var call: Task<Void, Never>?
    private var watch: Task<Void, Never>?
    private var estimate = TokenEstimate()
    private var told: TokenUsage?
    /// The answering model, if the provider reported it.
    private(set) var answeringModel: String?

    /// Called with the time from the start to the first token.
    var onFirstToken: (Duration) -> Void = { _ in }
    /// Called for each further token with the time since the one before.
    var onFurtherToken: (Duration) -> Void = { _ in }

    init(
        _ client: any AIStreamingClient,
        _ request: ProviderRequest,
        into sink: any AnswerSink,
        limits: CallLimits,
        loop: Loop,
        clock: any MonotonicClock
    ) {
        self.client = client
        self.request = request
        self.sink = sink
        self.limits = limits
        self.loop = loop
        self.clock = clock
        startedAt = clock.now
    }

    var hasOutput: Bool { lastTokenAt != nil }
    var elapsed: Duration { clock.now - startedAt }

    // MARK: The client's side

    func receive(_ kind: AnswerText, _ text: String) {
        let now = clock.now
        let earlier = lastTokenAt
        lastTokenAt = now
        if let earlier {
            onFurtherToken(now - earlier)
        } else {
            onFirstToken(now - startedAt)
            // Another limit holds from here on, which may be over sooner.
            beginWatch()
        }
        estimate.add(kind, text)
        sink.receive(kind, text)
    }

    func take(_ account: ProviderAccount) {
        told = account.usage
        answeringModel = account.answeringModel ?? answeringModel
    }

    var hasRoom: Bool { sink.hasRoom }

    func waitForRoom() async throws(CancellationError) {
        isWaitingForRoom = true
        defer {
            isWaitingForRoom = false
            if hasOutput { lastTokenAt = clock.now }
        }
        try await sink.waitForRoom()
    }

    // MARK: The caller's side

    /// Calls once; `usage` is complete then.
    func run() async -> Result<FinishReason, ProviderFailure> {
        var result = Result<FinishReason, ProviderFailure>.failure(.cancelled)
        let call = loop.spawn { [self] in
            do throws(ProviderFailure) {
                result = .success(try await client.stream(request, into: self))
            } catch {
                result = .failure(error)
            }
        }
        self.call = call
        beginWatch()
        await withTaskCancellationHandler {
            await call.value
        } onCancel: {
            call.cancel()
        }
        watch?.cancel()
        if case .failure = result, let timeout { result = .failure(timeout) }
        return result
    }

    /// The usage of the call, however it ended: reported by the provider or estimated.
    func usage(after result: Result<FinishReason, ProviderFailure>) -> TokenUsage {
        // Some servers report zeros beside text.
        if let told, told.outputTokens > 0 || !hasOutput { return told }
        switch result {
        case .failure(.unavailable), .failure(.busy), .failure(.noRoom), .failure(.refused), .failure(.rejected),
            .failure(.adapted):
            // A call without a first token does not count.
            return hasOutput ? estimate.usage(of: request, to: client.identity) : .none
        case .success, .failure(.timedOut), .failure(.cancelled):
            return estimate.usage(of: request, to: client.identity)
        }
    }

    private func beginWatch() {
        watch?.cancel()
        watch = loop.spawn { [self] in await cut() }
    }

    /// Cuts the call when one of its limits expires.
    private func cut() async {
        while timeout == nil, !Task.isCancelled {
            let (due, phase) = nextLimit
            if clock.now >= due {
                timeout = .timedOut(detail: "The provider \(client.identity.name) gave \(phase).")
                call?.cancel()
                return
            }
            guard (try? await clock.sleep(for: due - clock.now)) != nil else { return }
        }
    }

    private var nextLimit: (due: Duration, phase: String) {
        let total = startedAt + limits.total
        let pause =
            if let lastTokenAt {
                (due: (isWaitingForRoom ? clock.now : lastTokenAt) + limits.idle, phase: "no further token in time")
            } else {
                (due: startedAt + limits.firstToken, phase: "no first token in time")
            }
        return pause.due < total ? pause : (due: total, phase: "no complete answer in time")
    }
}

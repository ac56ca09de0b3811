package import Application
internal import Domain

/// Solves with the first of its providers that can, each call under the same time limits.
package struct ProviderChain: MathSolver {
    /// Limits of one provider call.
    package struct Limits: Sendable {
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

    private let clients: [any AIStreamingClient]
    private let limits: Limits
    private let clock: any MonotonicClock
    private let tasks: any LocalTasks

    /// `clients` are in the order of preference; at least one.
    package init(
        clients: [any AIStreamingClient],
        limits: Limits,
        clock: any MonotonicClock,
        tasks: any LocalTasks
    ) {
        precondition(!clients.isEmpty, "a chain of providers needs at least one")
        self.clients = clients
        self.limits = limits
        self.clock = clock
        self.tasks = tasks
    }

    package var providerNames: [String] { clients.map(\.identity.name) }

    package func firstChoice(requested: String?) -> ProviderIdentity { candidates(requested)[0].identity }

    /// The one that was asked for, or all of them.
    private func candidates(_ requested: String?) -> [any AIStreamingClient] {
        guard let requested, let client = clients.first(where: { $0.identity.name == requested }) else {
            return clients
        }
        return [client]
    }

    package func solve(
        _ question: Question,
        requested: String?,
        into sink: any AnswerSink
    ) async throws(AIFailure) -> Solution {
        var last = AIFailure.failed(detail: "No provider is configured.")
        for client in candidates(requested) {
            let call = ProviderCall(client: client, sink: sink, limits: limits, clock: clock, tasks: tasks)
            switch await call.run(question) {
            case .success(let solution): return solution
            case .failure(let failure):
                last = failure
                switch failure {
                case .cancelled, .rejected: throw failure
                case .failed, .timedOut: if call.hasOutput { throw failure }
                }
            }
        }
        throw last
    }
}

/// One call of one provider, watched by the clock.
private final class ProviderCall: AnswerSink {
    private let client: any AIStreamingClient
    private let sink: any AnswerSink
    private let limits: ProviderChain.Limits
    private let clock: any MonotonicClock
    private let tasks: any LocalTasks
    private let startedAt: Duration
    private var lastTokenAt: Duration?
    /// True while the store takes nothing: that time is not the provider's.
    private var isWaitingForRoom = false
    private var timeout: AIFailure?

    init(
        client: any AIStreamingClient,
        sink: any AnswerSink,
        limits: ProviderChain.Limits,
        clock: any MonotonicClock,
        tasks: any LocalTasks
    ) {
        self.client = client
        self.sink = sink
        self.limits = limits
        self.clock = clock
        self.tasks = tasks
        startedAt = clock.now
    }

    var hasOutput: Bool { lastTokenAt != nil }

    func receive(_ kind: AnswerText, _ text: String) {
        lastTokenAt = clock.now
        sink.receive(kind, text)
    }

    func waitForRoom() async throws(AIFailure) {
        isWaitingForRoom = true
        defer {
            isWaitingForRoom = false
            if hasOutput { lastTokenAt = clock.now }
        }
        try await sink.waitForRoom()
    }

    func run(_ question: Question) async -> Result<Solution, AIFailure> {
        var result = Result<Solution, AIFailure>.failure(.cancelled)
        let call = tasks.start { [self] in
            do throws(AIFailure) {
                result = .success(try await client.stream(question, into: self))
            } catch {
                result = .failure(error)
            }
        }
        let watch = tasks.start { [self] in await cut(call) }
        await withTaskCancellationHandler {
            await call.value
        } onCancel: {
            call.cancel()
        }
        watch.cancel()
        if case .failure = result, let timeout { return .failure(timeout) }
        return result
    }

    /// Cuts the call when one of its limits is over.
    private func cut(_ call: Task<Void, Never>) async {
        while timeout == nil {
            let (due, phase) = nextLimit
            if clock.now >= due {
                timeout = .timedOut(detail: "The provider \(client.identity.name) gave \(phase).")
                call.cancel()
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
        return pause.due < total ? pause : (total, "no complete answer in time")
    }
}

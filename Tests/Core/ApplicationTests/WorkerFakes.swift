import Application
import Domain
import EventLoop
import Shared
import TestSupport

/// A scheduled retry.
struct Postponement {
    let attempt: UInt64
    let pause: Duration
    let reason: RestartReason
    let failure: RequestFailure
    let answer: String
}

/// A queue that answers by script and records its calls.
final class ConsumerFake: MessageConsumer {
    /// Results of `claim`, one for each call; the last one is repeated.
    var claims: [Result<ClaimResult, QueueFailure>] = []
    /// Results of `finish`, likewise.
    var finishes: [Result<FinishResult, QueueFailure>] = [.success(.finished)]
    var handBacks: [Result<Void, QueueFailure>] = [.success(())]
    var postponements: [Result<RetryResult, QueueFailure>] = [.success(.scheduled)]

    private(set) var plans: [AttemptPlan] = []
    private(set) var finished: [(attempt: FinishedAttempt, place: FinishPlace, letter: DeadLetterReason?)] = []
    private(set) var discarded: [String] = []
    private(set) var postponed: [Postponement] = []
    private(set) var handedBack = 0
    /// Called at the start of each claim, with its number from 1.
    var onClaim: (Int) -> Void = { _ in }

    private func next<Value>(_ answers: inout [Result<Value, QueueFailure>]) throws(QueueFailure) -> Value {
        let answer = answers.count > 1 ? answers.removeFirst() : answers[0]
        return try answer.get()
    }

    func receive(upTo count: Int, within limit: Duration) async throws(QueueFailure) -> [JobDelivery] { [] }
    func stopWaiting() {}
    func takeOver(upTo count: Int) async throws(QueueFailure) -> [JobDelivery] { [] }
    func renew(_ deliveries: [JobDelivery]) async throws(QueueFailure) -> LeaseReport { LeaseReport() }

    func claim(_ delivery: JobDelivery, _ plan: AttemptPlan) async throws(QueueFailure) -> ClaimResult {
        plans.append(plan)
        onClaim(plans.count)
        return try next(&claims)
    }

    func finish(
        _ attempt: FinishedAttempt,
        at place: FinishPlace,
        letter: DeadLetterReason?
    ) async throws(QueueFailure) -> FinishResult {
        finished.append((attempt, place, letter))
        return try next(&finishes)
    }

    func failUnreadable(_ delivery: JobDelivery, detail: String) async throws(QueueFailure) { discarded.append(detail) }

    func scheduleRetry(
        _ claim: JobClaim,
        for pause: Duration,
        _ reason: RestartReason,
        _ failure: RequestFailure,
        answer: String
    ) async throws(QueueFailure) -> RetryResult {
        postponed.append(
            Postponement(attempt: claim.attempt, pause: pause, reason: reason, failure: failure, answer: answer)
        )
        return try next(&postponements)
    }

    func enqueueDue(upTo count: Int) async throws(QueueFailure) -> Int { 0 }

    func release(_ deliveries: [JobDelivery]) async throws(QueueFailure) {
        handedBack += 1
        try next(&handBacks)
    }
}

/// Stores every text at once as one event, or fails by script.
final class WriterFake: AnswerWriter {
    let claim: JobClaim
    private(set) var texts: [String] = []
    private(set) var failure: AnswerWriteFailure?
    var onFailure: ((AnswerWriteFailure) -> Void)?
    /// Fails the next `flush`.
    var flushFailure: AnswerWriteFailure?

    init(_ claim: JobClaim) { self.claim = claim }

    func append(_ kind: AnswerText, _ text: String) {
        if failure == nil { texts.append(text) }
    }

    var hasRoom: Bool { failure == nil }

    func waitForRoom() async throws(AnswerWriteFailure) {
        if let failure { throw failure }
    }

    func flush() async throws(AnswerWriteFailure) -> EventID {
        if let failure = failure ?? flushFailure { throw failure }
        return EventID(attempt: claim.attempt, sequence: UInt64(texts.count))
    }

    func fail(_ failure: AnswerWriteFailure) {
        self.failure = failure
        onFailure?(failure)
    }
}

final class AnswerLogFake: AnswerLogWriter {
    private(set) var writers: [WriterFake] = []
    var onWriter: (WriterFake) -> Void = { _ in }

    func writer(for claim: JobClaim) -> any AnswerWriter {
        let writer = WriterFake(claim)
        writers.append(writer)
        onWriter(writer)
        return writer
    }
}

/// Solves by script: one step for each call, the last one repeated.
final class SolverFake: MathSolver {
    enum Step {
        case answer([String])
        case fail([String], AIFailure)
        /// Emits, calls the closure, then waits until it is cancelled.
        case hang([String], () -> Void)
    }

    var steps: [Step] = [.answer(["x = ", "2"])]
    private(set) var requests: [(ProviderRequest, String?)] = []
    private let loop: Loop
    private let clock: ManualClock

    init(loop: Loop, clock: ManualClock) {
        self.loop = loop
        self.clock = clock
    }

    /// The provider that answers; it differs from the planned one.
    static let answering = ProviderIdentity(name: "fake", model: "fake-2", promptVersion: "fake-prompt")

    var providerNames: [String] { ["fake"] }

    func firstChoice(requested: String?) -> ProviderIdentity {
        ProviderIdentity(name: requested ?? "fake", model: "fake-1")
    }

    func solve(
        _ request: ProviderRequest,
        requested: String?,
        into sink: any AnswerSink
    ) async throws(AIFailure) -> Solution {
        requests.append((request, requested))
        let step = steps.count > 1 ? steps.removeFirst() : steps[0]
        switch step {
        case .answer(let texts):
            try await emit(texts, sink)
            let usage = TokenUsage(inputTokens: 3, outputTokens: texts.count, isEstimated: false)
            return Solution(finishReason: .stop, account: ProviderAccount(provider: Self.answering, usage: usage))
        case .fail(let texts, let failure):
            try await emit(texts, sink)
            throw failure
        case .hang(let texts, let action):
            try await emit(texts, sink)
            action()
            do {
                try await OneShot<Void>(loop: loop).value()
            } catch {
                throw .cancelled
            }
            throw .failed(detail: "never")
        }
    }

    private func emit(_ texts: [String], _ sink: any AnswerSink) async throws(AIFailure) {
        for text in texts {
            clock.advance(by: .milliseconds(20))
            sink.receive(.token, text)
            do { try await sink.waitForRoom() } catch { throw .cancelled }
        }
    }
}

/// Records attempts, and gives each a carrier that names it.
final class TracesFake: AttemptTracing {
    /// `begin 1`, `completed` and so on, in order.
    private(set) var events: [String] = []

    func plan() -> TraceCarrier? { nil }

    func begin(_ claim: JobClaim, provider: String) -> any AttemptTrace {
        events.append("begin \(claim.attempt)")
        return Trace(TraceCarrier(parent: "attempt \(claim.attempt)", state: nil)) { [unowned self] in events.append($0)
        }
    }

    private final class Trace: AttemptTrace {
        let carrier: TraceCarrier?
        private let note: (String) -> Void

        init(_ carrier: TraceCarrier, _ note: @escaping (String) -> Void) {
            self.carrier = carrier
            self.note = note
        }

        func end(_ result: AttemptResult) { note(result.rawValue) }
    }
}

internal import Domain
internal import Shared

package struct RunMathRequestHandler: CommandHandler {
    /// Pauses between tries while the store is away, doubling from the first to the last.
    private static let storePauses = (first: Duration.milliseconds(50), last: Duration.seconds(1))

    private let consumer: any MessageConsumer
    private let answers: any AnswerLogWriter
    private let solver: any MathSolver
    private let contexts: ContextReader
    private let dependencies: AttemptDependencies
    private let bus: any EventBus

    package init(
        consumer: any MessageConsumer,
        answers: any AnswerLogWriter,
        solver: any MathSolver,
        contexts: ContextReader,
        dependencies: AttemptDependencies,
        bus: any EventBus
    ) {
        self.consumer = consumer
        self.answers = answers
        self.solver = solver
        self.contexts = contexts
        self.dependencies = dependencies
        self.bus = bus
    }

    package func handle(_ command: RunMathRequest) async -> RunMathRequest.Output {
        let choice = solver.firstChoice(requested: command.delivery.requestedProvider)
        var restartReason = RestartReason.workerLost
        while true {
            let plan = AttemptPlan(
                provider: choice.name,
                model: choice.model,
                restartReason: restartReason,
                trace: dependencies.traces.plan(),
            )
            let claimed = await persist(command.control) { () async throws(QueueFailure) in
                try await consumer.claim(command.delivery, plan)
            }
            let end =
                switch claimed {
                case .success(let result): await proceed(from: result, command.control, choice)
                case .failure(.stopped): AttemptEnd.over(.lost)
                case .failure(.refused(let detail)): await discard(command.delivery, detail)
                }
            switch end {
            case .over(let output): return output
            case .again(let reason):
                restartReason = reason
                command.control.reset()
            }
        }
    }

    private func proceed(
        from result: ClaimResult,
        _ control: AttemptControl,
        _ choice: ProviderIdentity
    ) async -> AttemptEnd {
        switch result {
        case .settled:
            return .over(.settled)
        case .cancelled(let claim, let reason):
            return await finish(.untried(claim, .cancelled(reason), choice), at: .afterLast, control)
        case .exhausted(let claim):
            return await giveUp(claim, choice, control)
        case .claimed(let claim):
            return await run(claim, control, choice)
        }
    }

    private static let historyUnavailable = RequestFailure(
        kind: .storeUnavailable,
        detail: "The earlier questions of this conversation cannot be read right now. Please send the problem again.",
    )

    /// What becomes of the job behind an attempt.
    enum AttemptEnd {
        case over(RunMathRequest.Output)
        case again(RestartReason)
    }

    /// Runs one claimed attempt.
    private func run(_ claim: JobClaim, _ control: AttemptControl, _ choice: ProviderIdentity) async -> AttemptEnd {
        let trace = dependencies.traces.begin(claim, provider: choice.name)
        control.trace = trace.carrier
        bus.publish(AttemptStarted(claim, trace.carrier))
        let writer = answers.writer(for: claim)
        writer.onFailure = { control.abort(.writeFailed($0)) }
        let sink = AttemptSink(writer: writer, clock: dependencies.clock)
        let result = await solve(claim, trace.carrier, sink, control)
        let end = await end(of: claim, result, sink, writer, control, choice)
        // What this attempt could not write any more must not stop the next one.
        writer.onFailure = nil
        let attemptResult = AttemptResult(end, control.reason)
        trace.end(attemptResult)
        bus.publish(AttemptEnded(claim, attemptResult, sink, trace.carrier))
        return end
    }

    private func end(
        of claim: JobClaim,
        _ result: Result<Solution, AttemptFailure>,
        _ sink: AttemptSink,
        _ writer: any AnswerWriter,
        _ control: AttemptControl,
        _ choice: ProviderIdentity
    ) async -> AttemptEnd {
        switch control.reason {
        case .cancelled(let reason):
            return await end(claim, .cancelled(reason), sink, writer, control, choice)
        case .leaseLost, .writeFailed(.fenced), .writeFailed(.gone), .writeFailed(.cancelled):
            return .over(.lost)
        case .writeFailed(.historyLost):
            return .again(.historyLost)
        case .writeFailed(.refused(let detail)):
            return await discard(claim.delivery, detail)
        case .handedOver:
            _ = try? await writer.flush()
            return await handBack(claim)
        case nil:
            break
        }

        switch result {
        case .success(let solution):
            return await end(claim, .completed(solution.finishReason), sink, writer, control, choice, solution)
        case .failure(.historyUnavailable):
            return await end(claim, .failed(Self.historyUnavailable), sink, writer, control, choice)
        case .failure(.provider(let failure)):
            return await end(claim, after: failure, sink, writer, control, choice)
        }
    }

    /// Leaves a request to its next attempt, or ends it, as the providers' failure demands.
    private func end(
        _ claim: JobClaim,
        after failure: AIFailure,
        _ sink: AttemptSink,
        _ writer: any AnswerWriter,
        _ control: AttemptControl,
        _ choice: ProviderIdentity
    ) async -> AttemptEnd {
        switch failure {
        case .rejected(let detail):
            let failure = RequestFailure(kind: .providerFailed, detail: detail)
            return await end(claim, .failed(failure), sink, writer, control, choice)
        case .failed(let detail):
            let failure = RequestFailure(kind: .providerFailed, detail: detail)
            return await postpone(claim, failure, sink, writer, control, choice)
        case .timedOut(let detail):
            let failure = RequestFailure(kind: .providerTimedOut, detail: detail)
            return await postpone(claim, failure, sink, writer, control, choice)
        case .overloaded(let detail, let pause):
            let failure = RequestFailure(kind: .providerFailed, detail: detail)
            return await postpone(claim, failure, sink, writer, control, choice, atLeast: pause)
        case .noRoom(let detail, let pause):
            let failure = RequestFailure(kind: .providerFailed, detail: detail)
            return await postpone(claim, failure, sink, writer, control, choice, atLeast: pause, as: .handedOver)
        case .cancelled:
            return .over(.lost)
        }
    }

    /// Why there is no answer.
    private enum AttemptFailure: Error {
        case provider(AIFailure)
        /// The conversation's earlier turns could not be read.
        case historyUnavailable
    }

    /// Reads the context and has the question answered, in a task that `control` can cut at any moment.
    private func solve(
        _ claim: JobClaim,
        _ trace: TraceCarrier?,
        _ sink: AttemptSink,
        _ control: AttemptControl
    ) async -> Result<Solution, AttemptFailure> {
        var result = Result<Solution, AttemptFailure>.failure(.provider(.cancelled))
        let task = dependencies.tasks.start { result = await answer(claim, trace, sink) }
        control.began(task)
        await task.value
        control.ended()
        return result
    }

    private func answer(
        _ claim: JobClaim,
        _ trace: TraceCarrier?,
        _ sink: AttemptSink
    ) async -> Result<Solution, AttemptFailure> {
        let request = claim.request
        let context: ConversationContext
        do {
            context = try await contexts.context(for: claim)
        } catch {
            switch error {
            case .unavailable: return .failure(.historyUnavailable)
            case .cancelled: return .failure(.provider(.cancelled))
            }
        }
        let question = ProviderRequest(
            problem: request.problem,
            options: request.options,
            context: context,
            attempt: AttemptName(correlationID: request.correlationID, number: claim.attempt, trace: trace),
        )
        do {
            return .success(try await solver.solve(question, requested: request.requestedProvider, into: sink))
        } catch {
            return .failure(.provider(error))
        }
    }

    /// Leaves the request to the queue until its next attempt; no worker holds it meanwhile.
    private func postpone(
        _ claim: JobClaim,
        _ failure: RequestFailure,
        _ sink: AttemptSink,
        _ writer: any AnswerWriter,
        _ control: AttemptControl,
        _ choice: ProviderIdentity,
        atLeast least: Duration = .zero,
        as reason: RestartReason = .providerFailed
    ) async -> AttemptEnd {
        _ = try? await writer.flush()
        let pause = least + dependencies.backoff.pause(afterAttempt: Int(claim.attempt))
        let result = await persist(control) { () async throws(QueueFailure) in
            try await consumer.postpone(claim, for: pause, reason, failure, answer: sink.answer)
        }
        switch result {
        case .success(.postponed): return .over(.postponed)
        case .success(.superseded), .failure(.stopped): return .over(.lost)
        // A new claim tells of the wish and its reason.
        case .success(.cancelled): return .again(.providerFailed)
        case .success(.exhausted):
            return await giveUp(claim.next(after: failure, answer: sink.answer), choice, control, sink.account)
        case .failure(.refused(let detail)): return await discard(claim.delivery, detail)
        }
    }

    /// Ends a request that gets no further attempt, at the place of that attempt's marker.
    private func giveUp(
        _ claim: JobClaim,
        _ choice: ProviderIdentity,
        _ control: AttemptControl,
        _ account: ProviderAccount? = nil
    ) async -> AttemptEnd {
        let failure =
            claim.lastFailure
            ?? RequestFailure(
                kind: .attemptsExhausted,
                detail: "Every worker that tried this problem was lost. Please send it again.",
            )
        let marker = EventID(attempt: claim.attempt, sequence: 0)
        let attempt = FinishedAttempt.untried(claim, .failed(failure), choice, account)
        return await finish(attempt, at: .id(marker), control, letter: .attemptsExhausted)
    }

    private func handBack(_ claim: JobClaim) async -> AttemptEnd {
        _ = await persist(nil) { () async throws(QueueFailure) in try await consumer.handBack([claim.delivery]) }
        return .over(.handedOver)
    }

    /// Ends a job that the store cannot go on with, so that it does not come back with each lease for ever.
    private func discard(_ delivery: JobDelivery, _ detail: String) async -> AttemptEnd {
        let result = await persist(nil) { () async throws(QueueFailure) in
            try await consumer.discard(delivery, detail: detail)
        }
        return switch result {
        case .success: .over(.discarded(detail))
        case .failure: .over(.lost)
        }
    }

    /// Stores what is left of the text, then the terminal event.
    private func end(
        _ claim: JobClaim,
        _ outcome: AnswerOutcome,
        _ sink: AttemptSink,
        _ writer: any AnswerWriter,
        _ control: AttemptControl,
        _ choice: ProviderIdentity,
        _ solution: Solution? = nil
    ) async -> AttemptEnd {
        let last: EventID
        do {
            last = try await writer.flush()
        } catch {
            switch error {
            case .historyLost: return .again(.historyLost)
            case .refused(let detail): return await discard(claim.delivery, detail)
            case .fenced, .gone, .cancelled: return .over(.lost)
            }
        }
        let counted = TokenUsage(inputTokens: 0, outputTokens: sink.tokens, isEstimated: true)
        let account = solution?.account ?? sink.account ?? ProviderAccount(provider: choice, usage: counted)
        let finished = FinishedAttempt(
            claim: claim,
            outcome: outcome,
            answer: sink.answer,
            account: account,
            firstTokenMilliseconds: sink.firstTokenMilliseconds,
            durationMilliseconds: sink.elapsedMilliseconds,
        )
        return await finish(finished, at: .id(last.next), control)
    }

    private func finish(
        _ attempt: FinishedAttempt,
        at place: FinishPlace,
        _ control: AttemptControl,
        letter: DeadLetterReason? = nil
    ) async -> AttemptEnd {
        let result = await persist(control) { () async throws(QueueFailure) in
            try await consumer.finish(attempt, at: place, letter: letter)
        }
        switch result {
        case .success(.finished):
            bus.publish(MathRequestFinished(attempt, isGivenUp: letter != nil))
            return .over(.finished(attempt.outcome.status))
        case .success(.historyLost): return .again(.historyLost)
        case .success(.superseded), .failure(.stopped): return .over(.lost)
        case .failure(.refused(let detail)): return await discard(attempt.claim.delivery, detail)
        }
    }

    /// Why a call to the queue was not repeated any more.
    private enum PersistFailure: Error {
        /// The worker is being stopped, or the job is another's by now.
        case stopped
        case refused(detail: String)
    }

    /// Repeats a call to the queue while the store is away, as long as the job is this worker's.
    private func persist<Value>(
        _ control: AttemptControl?,
        _ call: () async throws(QueueFailure) -> Value
    ) async -> Result<Value, PersistFailure> {
        var pause = Self.storePauses.first
        while true {
            do throws(QueueFailure) {
                return .success(try await call())
            } catch {
                switch error {
                case .cancelled: return .failure(.stopped)
                case .refused(let detail): return .failure(.refused(detail: detail))
                case .unavailable: break
                }
                if case .leaseLost = control?.reason { return .failure(.stopped) }
                guard (try? await dependencies.clock.sleep(for: dependencies.backoff.jittered(pause))) != nil else {
                    return .failure(.stopped)
                }
                pause = min(pause * 2, Self.storePauses.last)
            }
        }
    }
}

extension FinishedAttempt {
    /// The end of a request whose attempt never began; `account` is that of the attempt before, where it was made here.
    fileprivate static func untried(
        _ claim: JobClaim,
        _ outcome: AnswerOutcome,
        _ choice: ProviderIdentity,
        _ account: ProviderAccount? = nil
    ) -> FinishedAttempt {
        FinishedAttempt(
            claim: claim,
            outcome: outcome,
            answer: claim.answer,
            account: account ?? ProviderAccount(provider: choice, usage: .none),
            firstTokenMilliseconds: nil,
            durationMilliseconds: 0,
        )
    }
}

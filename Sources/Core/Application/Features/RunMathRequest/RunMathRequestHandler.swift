internal import Domain
internal import Shared

package struct RunMathRequestHandler: CommandHandler {
    /// Pauses between tries while the store is away, doubling from the first to the last.
    private static let storePauses = (first: Duration.milliseconds(50), last: Duration.seconds(1))

    private let consumer: any MessageConsumer
    private let answers: any AnswerStream
    private let solver: any MathSolver
    private let contexts: ContextReader
    private let environment: WorkEnvironment
    private let bus: any EventBus

    package init(
        consumer: any MessageConsumer,
        answers: any AnswerStream,
        solver: any MathSolver,
        contexts: ContextReader,
        environment: WorkEnvironment,
        bus: any EventBus
    ) {
        self.consumer = consumer
        self.answers = answers
        self.solver = solver
        self.contexts = contexts
        self.environment = environment
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
                trace: environment.traces.plan(),
            )
            guard
                let result = await persist({ () async throws(QueueFailure) in
                    try await consumer.claim(command.delivery, plan)
                })
            else { return .lost }
            switch await proceed(from: result, command.control, choice) {
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
            return await finish(.untried(claim, .cancelled(reason), choice), at: .afterLast)
        case .exhausted(let claim):
            return await giveUp(claim, choice)
        case .claimed(let claim):
            return await run(claim, control, choice)
        }
    }

    private static let historyUnavailable = RequestFailure(
        kind: .storeUnavailable,
        detail: "The earlier questions of this conversation cannot be read right now. Please send the problem again.",
    )

    /// What becomes of the job behind an attempt.
    fileprivate enum AttemptEnd {
        case over(RunMathRequest.Output)
        case again(RestartReason)
    }

    /// Runs one claimed attempt.
    private func run(_ claim: JobClaim, _ control: AttemptControl, _ choice: ProviderIdentity) async -> AttemptEnd {
        let trace = environment.traces.begin(claim, provider: choice.name)
        control.trace = trace.carrier
        bus.publish(AttemptStarted(claim, trace.carrier))
        let writer = answers.writer(for: claim)
        writer.onFailure = { control.abort(.writeFailed($0)) }
        let sink = AttemptSink(writer: writer, clock: environment.clock)
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
            return await end(claim, .cancelled(reason), sink, writer, choice)
        case .leaseLost, .writeFailed(.fenced), .writeFailed(.gone), .writeFailed(.cancelled):
            return .over(.lost)
        case .writeFailed(.historyLost):
            return .again(.historyLost)
        case .handedOver:
            _ = try? await writer.flush()
            return await handBack(claim)
        case nil:
            break
        }

        switch result {
        case .success(let solution):
            return await end(claim, .completed(solution.finishReason), sink, writer, choice, solution)
        case .failure(.historyUnavailable):
            return await end(claim, .failed(Self.historyUnavailable), sink, writer, choice)
        case .failure(.provider(let failure)):
            return await end(claim, after: failure, sink, writer, choice)
        }
    }

    /// Leaves a request to its next attempt, or ends it, as the providers' failure demands.
    private func end(
        _ claim: JobClaim,
        after failure: AIFailure,
        _ sink: AttemptSink,
        _ writer: any AnswerWriter,
        _ choice: ProviderIdentity
    ) async -> AttemptEnd {
        switch failure {
        case .rejected(let detail):
            let failure = RequestFailure(kind: .providerFailed, detail: detail)
            return await end(claim, .failed(failure), sink, writer, choice)
        case .failed(let detail):
            return await postpone(claim, RequestFailure(kind: .providerFailed, detail: detail), sink, writer, choice)
        case .timedOut(let detail):
            return await postpone(claim, RequestFailure(kind: .providerTimedOut, detail: detail), sink, writer, choice)
        case .overloaded(let detail, let pause):
            let failure = RequestFailure(kind: .providerFailed, detail: detail)
            return await postpone(claim, failure, sink, writer, choice, atLeast: pause)
        case .noRoom(let detail, let pause):
            let failure = RequestFailure(kind: .providerFailed, detail: detail)
            return await postpone(claim, failure, sink, writer, choice, atLeast: pause, as: .handedOver)
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
        let task = environment.tasks.start { result = await answer(claim, trace, sink) }
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
        let question = Question(
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
        _ choice: ProviderIdentity,
        atLeast least: Duration = .zero,
        as reason: RestartReason = .providerFailed
    ) async -> AttemptEnd {
        _ = try? await writer.flush()
        let pause = least + environment.backoff.pause(afterAttempt: Int(claim.attempt))
        let result = await persist { () async throws(QueueFailure) in
            try await consumer.postpone(claim, for: pause, reason, failure, answer: sink.answer)
        }
        switch result {
        case .postponed: return .over(.postponed)
        case .superseded, nil: return .over(.lost)
        // A new claim tells of the wish and its reason.
        case .cancelled: return .again(.providerFailed)
        case .exhausted:
            return await giveUp(claim.next(after: failure, answer: sink.answer), choice, sink.account)
        }
    }

    /// Ends a request that gets no further attempt, at the place of that attempt's marker.
    private func giveUp(
        _ claim: JobClaim,
        _ choice: ProviderIdentity,
        _ account: ProviderAccount? = nil
    ) async -> AttemptEnd {
        let failure =
            claim.lastFailure
            ?? RequestFailure(
                kind: .attemptsExhausted,
                detail: "Every worker that tried this problem was lost. Please send it again.",
            )
        let marker = EventID(attempt: claim.attempt, sequence: 0)
        return await finish(.untried(claim, .failed(failure), choice, account), at: .id(marker), givenUp: true)
    }

    private func handBack(_ claim: JobClaim) async -> AttemptEnd {
        _ = await persist { () async throws(QueueFailure) in try await consumer.handBack([claim.delivery]) }
        return .over(.handedOver)
    }

    /// Stores what is left of the text, then the terminal event.
    private func end(
        _ claim: JobClaim,
        _ outcome: AnswerOutcome,
        _ sink: AttemptSink,
        _ writer: any AnswerWriter,
        _ choice: ProviderIdentity,
        _ solution: Solution? = nil
    ) async -> AttemptEnd {
        let last: EventID
        do {
            last = try await writer.flush()
        } catch {
            return error == .historyLost ? .again(.historyLost) : .over(.lost)
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
        return await finish(finished, at: .id(last.next))
    }

    private func finish(
        _ attempt: FinishedAttempt,
        at place: FinishPlace,
        givenUp: Bool = false
    ) async -> AttemptEnd {
        let result = await persist { () async throws(QueueFailure) in
            try await consumer.finish(attempt, at: place, givenUp: givenUp)
        }
        switch result {
        case .finished:
            bus.publish(MathRequestFinished(attempt, isGivenUp: givenUp))
            return .over(.finished(attempt.outcome.status))
        case .historyLost: return .again(.historyLost)
        case .superseded, nil: return .over(.lost)
        }
    }

    /// Repeats a call to the queue while the store is away; nil when the worker itself is being stopped.
    private func persist<Value>(_ call: () async throws(QueueFailure) -> Value) async -> Value? {
        var pause = Self.storePauses.first
        while true {
            do throws(QueueFailure) {
                return try await call()
            } catch {
                if error == .cancelled { return nil }
                guard (try? await environment.clock.sleep(for: environment.backoff.jittered(pause))) != nil else {
                    return nil
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

extension AttemptResult {
    fileprivate init(_ end: RunMathRequestHandler.AttemptEnd, _ reason: AbortReason?) {
        switch end {
        case .over(.finished(let status)):
            switch status {
            case .completed: self = .completed
            case .cancelled: self = .cancelled
            case .failed, .queued, .running: self = .failed
            }
        case .over(.postponed): self = .postponed
        case .over(.handedOver): self = .handedOver
        case .over(.lost), .over(.settled): self.init(lostBecause: reason)
        case .again(.historyLost): self = .historyLost
        // The wish to cancel came before the next attempt: the claim that follows ends the request.
        case .again(.providerFailed), .again(.workerLost), .again(.handedOver): self = .cancelled
        }
    }

    private init(lostBecause reason: AbortReason?) {
        switch reason {
        case .leaseLost: self = .leaseLost
        case .writeFailed(.fenced): self = .fenced
        case .writeFailed(.gone): self = .expired
        case .writeFailed(.historyLost): self = .historyLost
        case .writeFailed(.cancelled): self = .stopped
        case .cancelled, .handedOver, nil: self = .superseded
        }
    }
}

extension AttemptStarted {
    fileprivate init(_ claim: JobClaim, _ trace: TraceCarrier?) {
        self.trace = trace
        correlationID = claim.request.correlationID
        cause = claim.cause
        queueMilliseconds = claim.queueMilliseconds
    }
}

extension AttemptEnded {
    fileprivate init(_ claim: JobClaim, _ result: AttemptResult, _ sink: AttemptSink, _ trace: TraceCarrier?) {
        self.trace = trace
        correlationID = claim.request.correlationID
        self.result = result
        firstTokenMilliseconds = sink.firstTokenMilliseconds
        durationMilliseconds = sink.elapsedMilliseconds
    }
}

extension MathRequestFinished {
    fileprivate init(_ attempt: FinishedAttempt, isGivenUp: Bool) {
        correlationID = attempt.claim.request.correlationID
        outcome = attempt.outcome
        self.attempt = attempt.claim.attempt
        provider = attempt.account.provider.name
        usage = attempt.account.usage
        queueMilliseconds = attempt.claim.queueMilliseconds
        firstTokenMilliseconds = attempt.firstTokenMilliseconds
        durationMilliseconds = attempt.durationMilliseconds
        trace = attempt.claim.request.trace
        totalMilliseconds = attempt.claim.ageMilliseconds + attempt.durationMilliseconds
        self.isGivenUp = isGivenUp
    }
}

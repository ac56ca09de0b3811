internal import Domain
internal import Shared

/// One claimed attempt: solves the problem into the answer's writer and ends the job as the result requires.
struct ClaimedAttempt {
    private static let historyUnavailable = RequestFailure(
        kind: .storeUnavailable,
        detail: "The earlier questions of this conversation cannot be read right now. Please send the problem again.",
    )

    /// Why there is no answer.
    private enum Failure: Error {
        case provider(AIFailure)
        /// The conversation's earlier turns could not be read.
        case historyUnavailable
    }

    let claim: JobClaim
    let control: AttemptControl
    /// The provider that the claim names.
    let provider: ProviderIdentity
    /// The span of the attempt.
    let trace: TraceCarrier?
    let writer: any AnswerWriter
    let sink: AttemptSink

    let solver: any MathSolver
    let contexts: ContextReader
    let dependencies: AttemptDependencies
    let ending: JobEnding

    func run() async -> AttemptEnd {
        let result = await solve()
        switch control.reason {
        case .cancelled(let reason): return await end(.cancelled(reason))
        case .leaseLost, .writeFailed(.fenced), .writeFailed(.gone), .writeFailed(.cancelled): return .over(.lost)
        case .writeFailed(.historyLost): return .again(.historyLost)
        case .writeFailed(.refused(let detail)): return await ending.failUnreadable(claim.delivery, detail)
        case .draining:
            _ = try? await writer.flush()
            return await ending.release(claim)
        case nil: break
        }
        switch result {
        case .success(let solution): return await end(.completed(solution.finishReason), solution)
        case .failure(.historyUnavailable): return await end(.failed(Self.historyUnavailable))
        case .failure(.provider(let failure)): return await end(after: failure)
        }
    }

    // MARK: Solving

    /// Reads the context and calls the provider, in a task that `control` can cancel at any moment.
    private func solve() async -> Result<Solution, Failure> {
        var result = Result<Solution, Failure>.failure(.provider(.cancelled))
        let task = dependencies.tasks.start { result = await answer() }
        control.began(task)
        await task.value
        control.ended()
        return result
    }

    private func answer() async -> Result<Solution, Failure> {
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
        let providerRequest = ProviderRequest(
            problem: request.problem,
            options: request.options,
            context: context,
            attempt: AttemptName(correlationID: request.correlationID, number: claim.attempt, trace: trace),
        )
        do {
            return .success(
                try await solver.solve(providerRequest, requested: request.requestedProvider, into: sink)
            )
        } catch {
            return .failure(.provider(error))
        }
    }

    // MARK: Ending

    /// Schedules a retry or ends the request, as the providers' failure requires.
    private func end(after failure: AIFailure) async -> AttemptEnd {
        switch failure {
        case .rejected(let detail):
            return await end(.failed(RequestFailure(kind: .providerFailed, detail: detail)))
        case .failed(let detail):
            return await retry(after: RequestFailure(kind: .providerFailed, detail: detail))
        case .timedOut(let detail):
            return await retry(after: RequestFailure(kind: .providerTimedOut, detail: detail))
        case .overloaded(let detail, let pause):
            return await retry(after: RequestFailure(kind: .providerFailed, detail: detail), pauseMin: pause)
        case .noRoom(let detail, let pause):
            let failure = RequestFailure(kind: .providerFailed, detail: detail)
            return await retry(after: failure, pauseMin: pause, .handedOver)
        case .cancelled:
            return .over(.lost)
        }
    }

    private func retry(
        after failure: RequestFailure,
        pauseMin: Duration = .zero,
        _ reason: RestartReason = .providerFailed
    ) async -> AttemptEnd {
        _ = try? await writer.flush()
        let pause = pauseMin + dependencies.backoff.pause(afterAttempt: Int(claim.attempt))
        return await ending.scheduleRetry(claim, after: failure, reason, pause: pause, sink, provider, control)
    }

    /// Stores the rest of the text, then the terminal event.
    private func end(_ outcome: AnswerOutcome, _ solution: Solution? = nil) async -> AttemptEnd {
        let last: EventID
        do {
            last = try await writer.flush()
        } catch {
            switch error {
            case .historyLost: return .again(.historyLost)
            case .refused(let detail): return await ending.failUnreadable(claim.delivery, detail)
            case .fenced, .gone, .cancelled: return .over(.lost)
            }
        }
        let counted = TokenUsage(inputTokens: 0, outputTokens: sink.tokens, isEstimated: true)
        let account = solution?.account ?? sink.account ?? ProviderAccount(provider: provider, usage: counted)
        let finished = FinishedAttempt(
            claim: claim,
            outcome: outcome,
            answer: sink.answer,
            account: account,
            firstTokenMilliseconds: sink.firstTokenMilliseconds,
            durationMilliseconds: sink.elapsedMilliseconds,
        )
        return await ending.finish(finished, at: .id(last.next), control)
    }
}

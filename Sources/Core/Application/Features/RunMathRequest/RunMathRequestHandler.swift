internal import Domain
internal import Shared

package struct RunMathRequestHandler: CommandHandler {
    private let consumer: any MessageConsumer
    private let answers: any AnswerLogWriter
    private let solver: any MathSolver
    private let contexts: ContextReader
    private let dependencies: AttemptDependencies
    private let bus: any EventBus
    private let retry: QueueRetry
    private let ending: JobEnding

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
        retry = QueueRetry(clock: dependencies.clock, backoff: dependencies.backoff)
        ending = JobEnding(consumer: consumer, retry: retry, bus: bus)
    }

    package func handle(_ command: RunMathRequest) async -> RunMathRequest.Output {
        let provider = solver.firstChoice(requested: command.delivery.requestedProvider)
        var restartReason = RestartReason.workerLost
        while true {
            let plan = AttemptPlan(
                provider: provider.name,
                model: provider.model,
                restartReason: restartReason,
                trace: dependencies.traces.plan(),
            )
            let claimed = await retry.run(command.control) { () async throws(QueueFailure) in
                try await consumer.claim(command.delivery, plan)
            }
            let end =
                switch claimed {
                case .success(let result): await proceed(from: result, command.control, provider)
                case .failure(.stopped): AttemptEnd.over(.lost)
                case .failure(.refused(let detail)): await ending.failUnreadable(command.delivery, detail)
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
        _ provider: ProviderIdentity
    ) async -> AttemptEnd {
        switch result {
        case .settled:
            return .over(.settled)
        case .cancelled(let claim, let reason):
            return await ending.cancel(claim, reason, provider, control)
        case .exhausted(let claim):
            return await ending.fail(claim, ProviderAccount(provider: provider, usage: .none), control)
        case .claimed(let claim):
            return await run(claim, control, provider)
        }
    }

    /// Runs one claimed attempt, with its span and its events.
    private func run(
        _ claim: JobClaim,
        _ control: AttemptControl,
        _ provider: ProviderIdentity
    ) async -> AttemptEnd {
        let trace = dependencies.traces.begin(claim, provider: provider.name)
        control.trace = trace.carrier
        bus.publish(AttemptStarted(claim, trace.carrier))
        let writer = answers.writer(for: claim)
        writer.onFailure = { control.abort(.writeFailed($0)) }
        let attempt = ClaimedAttempt(
            claim: claim,
            control: control,
            provider: provider,
            trace: trace.carrier,
            writer: writer,
            sink: AttemptSink(writer: writer, clock: dependencies.clock),
            solver: solver,
            contexts: contexts,
            dependencies: dependencies,
            ending: ending,
        )
        let end = await attempt.run()
        // A write failure of this attempt must not stop the next one.
        writer.onFailure = nil
        let result = AttemptResult(end, control.reason)
        trace.end(result)
        bus.publish(AttemptEnded(claim, result, attempt.sink, trace.carrier))
        return end
    }
}

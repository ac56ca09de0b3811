package import Application
internal import Domain
internal import Shared
internal import Telemetry

extension LemmaMetrics {
    /// Counts domain events; called once for each bus.
    ///
    /// These metrics are fed here and nowhere else; see "How a metric is fed" in docs/architecture.md.
    package func subscribe(to bus: any EventBus) {
        bus.subscribe(to: MathProblemSubmitted.self) { _ in requests.submitted.increment() }
        bus.subscribe(to: MathProblemRefused.self) { requests.refused[$0.reason].increment() }
        bus.subscribe(to: AttemptStarted.self) { count($0) }
        bus.subscribe(to: AttemptEnded.self) { count($0) }
        bus.subscribe(to: MathRequestFinished.self) { count($0) }
        bus.subscribe(to: RequestEndedWithoutWorker.self) { count($0) }
    }

    private func count(_ event: AttemptStarted) {
        work.started[event.cause].increment()
        switch event.cause {
        case .first, .redriven:
            work.queueWaitSeconds.observe(.milliseconds(event.queueMilliseconds), exemplar: event.trace?.sampledID)
        case .workerLost, .handedOver, .providerFailed, .historyLost: break
        }
    }

    private func count(_ event: AttemptEnded) {
        work.ended[event.result].increment()
        let exemplar = event.trace?.sampledID
        if let first = event.firstTokenMilliseconds {
            work.firstTokenSeconds.observe(.milliseconds(first), exemplar: exemplar)
        }
        work.attemptSeconds.observe(.milliseconds(event.durationMilliseconds), exemplar: exemplar)
    }

    private func count(_ event: MathRequestFinished) {
        let duration = Duration.milliseconds(event.totalMilliseconds)
        outcomes.count(event.outcome, after: duration, exemplar: event.trace?.sampledID)
        if event.isDeadLetter { work.deadLetters[.attemptsExhausted].increment() }
    }

    private func count(_ event: RequestEndedWithoutWorker) {
        switch event {
        case .cancelled(let reason, let duration): outcomes.count(.cancelled(reason), after: duration)
        case .expired: outcomes.countExpired()
        case .failed(_, let kind, let duration):
            outcomes.count(.failed(RequestFailure(kind: kind, detail: "")), after: duration)
            work.deadLetters[kind == .removedFromQueue ? .removedFromQueue : .unreadable].increment()
        }
    }
}

import Application
import Domain
import EventLoop
import Shared
import TestSupport

/// A worker's handler whose ports are fakes.
final class RunMathRequestBench {
    let loop: Loop
    let consumer = ConsumerFake()
    let answers = AnswerLogFake()
    let bus = BusRecorder()
    let control = AttemptControl()
    let clock: ManualClock
    let solver: SolverFake
    let memory = MemoryFake()
    let archive = ArchiveFake()
    let traces = TracesFake()
    let delivery = JobDelivery(entry: "7-0", correlationID: identifier(1), requestedProvider: nil)

    init(loop: Loop) {
        self.loop = loop
        clock = ManualClock(loop: loop, isAutomatic: true)
        solver = SolverFake(loop: loop, clock: clock)
        consumer.claims = [.success(.claimed(claim(1)))]
    }

    /// From the events on the bus: the reasons of the attempts, their ends, and the end of the request.
    var causes: [AttemptCause] { bus.events.compactMap { ($0 as? AttemptStarted)?.cause } }
    var results: [AttemptResult] { bus.events.compactMap { ($0 as? AttemptEnded)?.result } }
    var finished: [MathRequestFinished] { bus.events.compactMap { $0 as? MathRequestFinished } }

    func claim(_ attempt: UInt64, opensConversation: Bool = true) -> JobClaim {
        JobClaim(
            delivery: delivery,
            request: sampleRequest(),
            attempt: attempt,
            cause: attempt == 1 ? .first : .workerLost,
            queueMilliseconds: 5,
            ageMilliseconds: 100,
            opensConversation: opensConversation,
        )
    }

    func claimed(_ attempts: UInt64...) -> [Result<ClaimResult, QueueFailure>] {
        attempts.map { .success(.claimed(claim($0))) }
    }

    func run() async -> RunMathRequest.Output {
        let handler = RunMathRequestHandler(
            consumer: consumer,
            answers: answers,
            solver: solver,
            contexts: ContextReader(
                memory: memory,
                archive: archive,
                window: ContextWindow(turnsMax: 3, tokensMax: 1000),
                clock: clock,
            ),
            dependencies: AttemptDependencies(
                clock: clock,
                tasks: LoopLocalTasks(loop: loop),
                backoff: Backoff(random: FixedRandom.half),
                traces: traces,
            ),
            bus: bus,
        )
        let output = await handler.handle(RunMathRequest(delivery: delivery, control: control))
        // The scripts of a test hold the bench.
        solver.steps = [.answer([])]
        consumer.onClaim = { _ in }
        return output
    }

    /// The status, place and attempt of every `finish`.
    var ends: [String] {
        consumer.finished.map { finish in
            let place =
                switch finish.place {
                case .id(let id): id.description
                case .afterLast: "after last"
                }
            return "\(finish.attempt.outcome.status.rawValue) at \(place)"
        }
    }
}

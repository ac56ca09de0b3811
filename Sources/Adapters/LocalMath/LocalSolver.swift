package import EventLoop

/// Solves school mathematics on this machine with libqalculate, and shows the steps in Markdown with LaTeX.
///
/// Loop-owned. Input is untrusted: it is read by a strict grammar and only what was understood is passed on, rendered
/// anew. Every answer is checked in our own arithmetic where that is possible; one that does not pass is not shown.
package final class LocalSolver {
    /// What problems may use.
    package struct Limits: Sendable {
        /// For one problem, from its beginning.
        package var time: Duration
        /// How long a problem may wait until it is begun.
        package var waiting: Duration
        /// Address space of one calculator process.
        package var memoryBytesMax: Int
        /// Output of one calculator process.
        package var outputBytesMax: Int
        /// Problems being solved at once on this loop, each with one calculator process at a time.
        package var processesMax: Int

        package init(
            time: Duration = .seconds(10),
            waiting: Duration = .seconds(15),
            memoryBytesMax: Int = 512 << 20,
            outputBytesMax: Int = 64 << 10,
            processesMax: Int = 2,
        ) {
            precondition(processesMax > 0, "a solver needs at least one process")
            self.time = time
            self.waiting = waiting
            self.memoryBytesMax = memoryBytesMax
            self.outputBytesMax = outputBytesMax
            self.processesMax = processesMax
        }
    }

    private let loop: Loop
    private let limits: Limits
    private let calculator: Calculator
    private let gate: Gate

    package init(on loop: Loop, limits: Limits = Limits()) {
        self.loop = loop
        self.limits = limits
        calculator = Calculator(loop: loop, limits: limits)
        gate = Gate(width: limits.processesMax, on: loop)
    }

    /// Writes a worked answer to `problem`, piece by piece as it becomes known; the last line of a solved problem
    /// begins with `**Answer:**`.
    ///
    /// What cannot be solved or understood is answered too, in a plain sentence. Throws when the task is cancelled, with no
    /// process left, or when the problem could not be begun, with nothing written. To be called from a task of the loop.
    package func solve(_ problem: String, emit: @escaping (String) -> Void) async throws(LocalSolverFailure) {
        let page = Page(emit: emit)
        do {
            let problem = try ProblemReader.read(problem)
            // Waiting is no property of the problem: its time limit starts behind the gate.
            guard try await gate.enter(within: limits.waiting) else { throw LocalSolverFailure.busy }
            defer { gate.leave() }
            let deadline = Deadline(after: limits.time, now: loop.nowMilliseconds)
            let desk = Desk(calculator: calculator, deadline: deadline, page: page)
            try await desk.answer(problem)
        } catch let error as ReadingError {
            page.say(Apology.text(error))
        } catch let error as CalculatorError {
            switch error {
            case .cancelled: throw .cancelled
            case .exhausted: page.say(Apology.exhausted)
            case .unavailable: page.say(Apology.unavailable)
            }
        } catch let error as Refusal {
            page.say(Apology.text(error))
        } catch let error as LocalSolverFailure {
            throw error
        } catch is CancellationError {
            throw .cancelled
        } catch {
            page.say(Apology.exhausted)
        }
        if Task.isCancelled { throw .cancelled }
    }
}

/// Why a problem got no answer at all.
package enum LocalSolverFailure: Error, Sendable, Hashable {
    case cancelled
    /// The maximum of problems was being solved for as long as this one may wait.
    case busy
}

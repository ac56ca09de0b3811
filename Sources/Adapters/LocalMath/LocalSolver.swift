package import EventLoop

/// Solves school mathematics on this machine with libqalculate, and tells how, in Markdown with LaTeX.
///
/// Loop-owned. Input is untrusted: it is read by a strict grammar and only what was understood is passed on, rendered
/// anew. Every answer is checked in our own arithmetic where that is possible; one that does not pass is not shown.
package final class LocalSolver {
    /// What problems may use.
    package struct Limits: Sendable {
        /// For one problem, waiting for a place included.
        package var time: Duration
        /// Address space of one calculator process.
        package var memoryBytesMax: Int
        /// Output of one calculator process.
        package var outputBytesMax: Int
        /// Calculator processes at once on this loop.
        package var processesMax: Int

        package init(
            time: Duration = .seconds(10),
            memoryBytesMax: Int = 512 << 20,
            outputBytesMax: Int = 64 << 10,
            processesMax: Int = 2,
        ) {
            precondition(processesMax > 0, "a solver needs at least one process")
            self.time = time
            self.memoryBytesMax = memoryBytesMax
            self.outputBytesMax = outputBytesMax
            self.processesMax = processesMax
        }
    }

    private let loop: Loop
    private let limits: Limits
    private let calculator: Calculator

    package init(on loop: Loop, limits: Limits = Limits()) {
        self.loop = loop
        self.limits = limits
        calculator = Calculator(loop: loop, limits: limits)
    }

    /// Writes a worked answer to `problem`, piece by piece as it becomes known; the last line of a solved problem
    /// begins with `**Answer:**`.
    ///
    /// What cannot be solved or understood is answered too, in a plain sentence. Throws only when the task is
    /// cancelled, with no process left. To be called from a task of the loop.
    package func solve(_ problem: String, emit: @escaping (String) -> Void) async throws(CancellationError) {
        let page = Page(emit: emit)
        let deadline = Deadline(after: limits.time, now: loop.nowMilliseconds)
        do {
            let problem = try ProblemReader.read(problem)
            let desk = Desk(calculator: calculator, deadline: deadline, page: page)
            try await desk.answer(problem)
        } catch let error as ReadingError {
            page.say(Apology.text(error))
        } catch let error as CalculatorError {
            switch error {
            case .cancelled: throw CancellationError()
            case .exhausted: page.say(Apology.exhausted)
            case .unavailable: page.say(Apology.unavailable)
            }
        } catch let error as Refusal {
            page.say(Apology.text(error))
        } catch {
            page.say(Apology.exhausted)
        }
        if Task.isCancelled { throw CancellationError() }
    }
}

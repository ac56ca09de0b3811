/// Why a run of a program returned no output.
///
/// In every case the child has ended and is reaped.
package enum SubprocessError: Error, Equatable {
    /// The system failed to start it.
    case notStarted(NetworkError)
    /// It was killed because it ran longer than the limit.
    case timedOut
    /// It was killed because it wrote more than the limit.
    case outputTooLarge
    /// It was killed because the calling task was cancelled.
    case cancelled
}

extension Subprocess {
    /// The limits of one run of a program.
    package struct Limits: Sendable {
        /// From start to the end of the child and of its output.
        package var timeout: Duration
        /// Standard output and standard error together.
        package var outputBytesMax: Int

        package init(timeout: Duration, outputBytesMax: Int) {
            self.timeout = timeout
            self.outputBytesMax = outputBytesMax
        }
    }

    /// The output of a program and how it ended.
    package struct Output: Equatable, Sendable {
        package var output: [UInt8]
        package var errors: [UInt8]
        package var exit: Exit
    }

    /// Runs a program to its end in its own process group; kills the group (SIGKILL) at a limit or when the task is
    /// cancelled.
    ///
    /// Returns or throws only after the child is reaped. Any exit status is a normal result. To be called from a task of
    /// `loop`.
    package static func run(
        _ executable: String,
        arguments: [String],
        environment: [String: String],
        input: [UInt8] = [],
        limits: Limits,
        on loop: Loop,
    ) async throws(SubprocessError) -> Output {
        if Task.isCancelled { throw .cancelled }
        let collected = Collected(bytesMax: limits.outputBytesMax, on: loop)
        let process: Subprocess
        do {
            process = try start(
                executable,
                arguments: arguments,
                environment: environment,
                options: Options(
                    input: input,
                    output: .bytes { collected.take($0, \.output) },
                    errors: .bytes { collected.take($0, \.errors) },
                ),
                on: loop,
            )
        } catch {
            throw .notStarted(error)
        }
        let deadline = loop.schedule(after: limits.timeout) {
            process.kill()
            collected.stop.succeed(.timedOut)
        }
        defer { deadline.close() }
        var failure: SubprocessError?
        do {
            failure = try await collected.stop.value()
        } catch {
            failure = .cancelled
        }
        if let failure {
            process.kill()
            process.closePipes()
            await process.reaped()
            throw failure
        }
        // Both streams have ended, so the child is ending; the deadline applies to a child that closed them and runs on.
        do {
            let exit = try await process.waitForExit()
            return Output(output: collected.output, errors: collected.errors, exit: exit)
        } catch {
            process.kill()
            await process.reaped()
            throw .cancelled
        }
    }

    /// The output of one run.
    private final class Collected {
        var output: [UInt8] = []
        var errors: [UInt8] = []
        /// Settled with nil when both streams have ended, else with the reason to stop the run.
        let stop: OneShot<SubprocessError?>
        private let bytesMax: Int
        private var open = 2

        init(bytesMax: Int, on loop: Loop) {
            self.bytesMax = bytesMax
            stop = OneShot(loop: loop)
        }

        func take(_ piece: ArraySlice<UInt8>, _ stream: ReferenceWritableKeyPath<Collected, [UInt8]>) {
            if piece.isEmpty {
                open -= 1
                if open == 0 { stop.succeed(nil) }
            } else if output.count + errors.count + piece.count > bytesMax {
                stop.succeed(.outputTooLarge)
            } else {
                self[keyPath: stream].append(contentsOf: piece)
            }
        }
    }
}

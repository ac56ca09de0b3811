internal import EventLoop
internal import Time

/// Why the calculator gave nothing.
enum CalculatorError: Error, Equatable {
    /// The program is not installed or cannot be started.
    case unavailable
    /// It used up its time, memory or output.
    case exhausted
    case cancelled
}

/// libqalculate's `qalc` program, one process for each batch of questions.
///
/// The process gets an empty environment, no configuration, no currencies (so nothing to download), and limits on
/// address space, processor time and descriptors through `prlimit`. It reads rendered syntax trees on its standard
/// input, so nothing a student typed is an argument or a command. Marker lines between the inputs separate the answers
/// apart.
final class Calculator {
    /// One question.
    struct Question: Equatable {
        enum Form: Equatable {
            /// Fractions and roots stay.
            case exact
            /// Decimals of ten digits.
            case decimal
        }

        var text: CalculatorText
        var form = Form.exact

        static func exact(_ text: CalculatorText) -> Question { Question(text: text, form: .exact) }
        static func decimal(_ text: CalculatorText) -> Question { Question(text: text, form: .decimal) }
    }

    private let loop: Loop
    private let limits: LocalSolver.Limits

    init(loop: Loop, limits: LocalSolver.Limits) {
        self.loop = loop
        self.limits = limits
    }

    /// Answers in the order of `questions`; nil for one that was not answered within its time.
    func ask(_ questions: [Question], until deadline: Deadline) async throws(CalculatorError) -> [String?] {
        let remaining = deadline.remaining(at: loop.nowMilliseconds)
        guard remaining > .milliseconds(100) else { throw .exhausted }
        do {
            let output = try await Subprocess.run(
                "/usr/bin/prlimit",
                arguments: arguments(remaining),
                environment: Self.environment,
                input: Array(script(questions).utf8),
                limits: Subprocess.Limits(timeout: remaining, outputBytesMax: limits.outputBytesMax),
                on: loop,
            )
            let answers = Self.answers(output.output, count: questions.count)
            if answers.allSatisfy({ $0 == nil }) {
                throw output.exit == .status(127) || output.exit == .status(126)
                    ? CalculatorError.unavailable : CalculatorError.exhausted
            }
            return answers
        } catch let error as CalculatorError {
            throw error
        } catch let error as SubprocessError {
            switch error {
            case .notStarted: throw .unavailable
            case .timedOut, .outputTooLarge: throw .exhausted
            case .cancelled: throw .cancelled
            }
        } catch {
            throw .exhausted
        }
    }

    /// Paths below a device, where no directory can be made: the program finds and leaves no files.
    private static let environment = [
        "HOME": "/dev/null/none", "XDG_CONFIG_HOME": "/dev/null/none", "XDG_DATA_HOME": "/dev/null/none",
        "XDG_CACHE_HOME": "/dev/null/none", "PATH": "/dev/null/none", "LANG": "C.UTF-8",
    ]

    private func arguments(_ remaining: Duration) -> [String] {
        // Of processor time, so that the limit on the whole time is reached first.
        let seconds = remaining.wholeSeconds + 1
        // An input that takes too long must leave time to report that.
        let milliseconds = min(3_000, max(100, remaining.inSeconds * 600))
        return [
            "--as=\(limits.memoryBytesMax)", "--cpu=\(seconds)", "--nofile=64", "--core=0", "--fsize=0", "--",
            "/usr/bin/qalc", "-t", "-nocurrencies", "-nodatasets", "-m", String(Int(milliseconds)),
            "-s", "approximation exact", "-s", "fractions 4", "-s", "unicode 0", "-s", "mulsign 0", "-s", "shortmul 0",
            "-s", "autoconversion 0", "-s", "prefixes 0", "-s", "update exchange rates 0", "-s", "save mode 0",
            "-s", "save definitions 0", "-s", "show ending zeroes 0", "-f", "-",
        ]
    }

    /// Each question between `"@n"` markers, which the calculator echoes as texts; the exact ones first.
    private func script(_ questions: [Question]) -> String {
        var lines: [String] = []
        for form in [Question.Form.exact, .decimal] {
            if form == .decimal { lines += ["set approximation approximate", "set fractions off"] }
            for (number, question) in questions.enumerated() where question.form == form {
                lines += ["\"@\(number)\"", question.text.text]
            }
        }
        return (lines + ["\"@end\"", ""]).joined(separator: "\n")
    }

    /// The first line behind the first occurrence of each marker (a `set` echoes the line before it once more).
    private static func answers(_ output: [UInt8], count: Int) -> [String?] {
        let lines = String(decoding: output, as: UTF8.self).split(separator: "\n")
        return (0..<count).map { number in
            guard let marker = lines.firstIndex(of: "\"@\(number)\""), marker + 1 < lines.count else { return nil }
            let line = lines[marker + 1]
            return line == "aborted" || line.hasPrefix("\"@") ? nil : String(line)
        }
    }
}

/// A moment on a loop's clock.
struct Deadline {
    let milliseconds: Int64

    init(after limit: Duration, now: Int64) {
        milliseconds = now + limit.wholeMilliseconds
    }

    func remaining(at now: Int64) -> Duration { .milliseconds(max(0, milliseconds - now)) }
}

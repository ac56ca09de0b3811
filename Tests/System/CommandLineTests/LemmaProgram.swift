import EventLoop
import FoundationEssentials
import Glibc
import TestSupport

/// The built program, run as a child process in a directory of its own with a clean environment.
struct LemmaProgram {
    /// How a run ended.
    struct Outcome {
        let output: String
        let errors: String
        /// The exit status, or 128 + the number of the signal.
        let status: Int32
    }

    private let directory: TemporaryDirectory
    private let environment: [String: String]

    init(environment: [String: String] = [:]) throws {
        directory = try TemporaryDirectory()
        self.environment = environment
    }

    /// The executable next to the bundle of tests.
    private static func executable() throws -> String {
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let folder = tests.split(separator: "/").dropLast().joined(separator: "/")
        let path = "/\(folder)/lemma"
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw NeverHappened(what: "the program is not built next to the tests: \(path)")
        }
        return path
    }

    func writeDotEnv(_ text: String) throws {
        try text.write(toFile: "\(directory.path)/.env", atomically: true, encoding: .utf8)
    }

    /// A run that has begun.
    struct Run {
        fileprivate let process: ChildProcess
        fileprivate let directory: TemporaryDirectory

        var output: String { textOfFile("\(directory.path)/out") }
        var errors: String { textOfFile("\(directory.path)/err") }

        func interrupt() { process.signal(SIGINT) }
        func signal(_ number: Int32) { process.signal(number) }

        /// Waits for the end; kills it after ten seconds.
        func end() async throws -> Outcome {
            var ended: Int32?
            let inTime = try await eventually(within: .seconds(10)) {
                ended = process.endStatus
                return ended != nil
            }
            guard inTime, let ended else {
                process.signal(SIGKILL)
                process.wait()
                throw NeverHappened(what: "the program ends; it said: \(output) \(errors)")
            }
            let status = ended & 0x7F == 0 ? (ended >> 8) & 0xFF : 128 + (ended & 0x7F)
            return Outcome(output: output, errors: errors, status: status)
        }
    }

    /// Starts it; `input` comes from a pipe.
    ///
    /// Its output goes to the file `output`, through `filter`, a shell command, when there is one.
    func start(
        _ arguments: [String],
        input: String = "",
        filter: String? = nil,
        output: String = "out",
        through runner: [String] = []
    ) throws -> Run {
        let variables = environment.map { "\($0.key)=\($0.value)" }
        try input.write(toFile: "\(directory.path)/in", atomically: true, encoding: .utf8)
        for name in ["out", "err"] {
            try "".write(toFile: "\(directory.path)/\(name)", atomically: true, encoding: .utf8)
        }
        // The shell becomes the program, so that a signal hits that; with a filter, the program's status is its own.
        let script =
            filter.map { "\"$@\" <in 2>err | \($0) >\(output); exit ${PIPESTATUS[0]}" }
            ?? "exec \"$@\" <in >\(output) 2>err"
        let shell = ["bash", "-c", "cd \"$0\" && \(script)", directory.path]
        let program = runner + ["env", "-i"] + variables + [try Self.executable()]
        return Run(process: try ChildProcess.start(shell + program + arguments), directory: directory)
    }

    /// Runs it to its end on a terminal of its own, whose output it returns; each answer is typed after its prompt.
    func runOnTerminal(_ arguments: [String], answers: [(prompt: String, text: String)]) async throws -> Outcome {
        let script = """
            import json, os, pty, sys
            answers = json.loads(sys.argv[1])
            process, terminal = pty.fork()
            if process == 0: os.execvp(sys.argv[2], sys.argv[2:])
            seen = b""
            while True:
                try: read = os.read(terminal, 4096)
                except OSError: break
                seen += read
                if answers and answers[0][0].encode() in seen: os.write(terminal, answers.pop(0)[1].encode())
            sys.stdout.buffer.write(seen)
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
            """
        let encoded = String(decoding: try JSONEncoder().encode(answers.map { [$0.prompt, $0.text] }), as: UTF8.self)
        return try await start(arguments, through: ["python3", "-c", script, encoded]).end()
    }

    /// Runs it to its end.
    func run(
        _ arguments: [String],
        input: String = "",
        filter: String? = nil,
        output: String = "out"
    ) async throws -> Outcome {
        try await start(arguments, input: input, filter: filter, output: output).end()
    }

    /// Runs it on a terminal of its own (script(1)), types `keys` once it has shown `prompt`, and returns what the terminal
    /// showed.
    func typed(_ arguments: [String], keys: String, after prompt: String) async throws -> String {
        let variables = environment.map { "'\($0.key)=\($0.value)'" }
        let command = (["env", "-i"] + variables + [try Self.executable()] + arguments).joined(separator: " ")
        // The pipe is open for writing, too, so that it never ends.
        let script = "cd \"$0\" && mkfifo keys && exec script -qefc \"$1\" shown <>keys >err"
        let process = try ChildProcess.start(["bash", "-c", script, directory.path, command])
        defer { process.signal(SIGKILL) }
        var shown: String { textOfFile("\(directory.path)/shown") }
        guard try await eventually(within: .seconds(10), { shown.contains(prompt) }) else {
            throw NeverHappened(what: "\(prompt); it showed \(shown)")
        }
        try ChildProcess.run(["bash", "-c", "printf %s \"$1\" >\"$0\"", "\(directory.path)/keys", keys])
        guard try await eventually(within: .seconds(10), { process.endStatus != nil }) else {
            throw NeverHappened(what: "the end; it showed \(shown)")
        }
        return shown
    }
}

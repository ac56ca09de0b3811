internal import Glibc

/// Ends a program and removes its directory if the test process dies before it can do so itself.
///
/// A shell waits for EOF of a pipe whose write end only this process has; the kernel closes it when the process ends.
struct Guardian {
    private let shell: ChildProcess
    private let pipeEnd: Int32

    /// `signal` is the signal, by its name in kill(1), at which the program ends at once and ends its children.
    init(of process: ChildProcess, directory: TemporaryDirectory, signal: String = "KILL") throws {
        let script = """
            read -r line
            kill -CONT "$1"; kill -"$3" "$1"
            while kill -0 "$1" 2>/dev/null; do sleep 0.05; done
            rm -rf "$2"
            """
        try self.init(script, ["\(process.identifier)", directory.path, signal])
    }

    /// Only removes the directory, which is used as long as the process lives.
    init(of directory: TemporaryDirectory) throws {
        try self.init("read -r line; rm -rf \"$1\"", [directory.path])
    }

    private init(_ script: String, _ arguments: [String]) throws {
        var ends: [Int32] = [0, 0]
        guard unsafe pipe(&ends) == 0 else { throw ChildProcessError(description: "no pipe") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[0]) }
        pipeEnd = ends[1]
        shell = try ChildProcess.start(["sh", "-c", script, "guardian"] + arguments, input: ends[0])
    }

    /// To be called before the program is reaped: from then on its process id may be reused.
    func dismiss() {
        shell.signal(SIGKILL)
        shell.wait()
        close(pipeEnd)
    }
}

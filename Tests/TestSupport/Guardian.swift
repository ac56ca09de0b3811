internal import Glibc

/// Ends a program and removes its directory when this test process dies before it could do so itself.
///
/// A shell waits for the end of a pipe whose other end only this process holds; the kernel closes it in any case.
struct Guardian {
    private let shell: ChildProcess
    private let pipeEnd: Int32

    init(of process: ChildProcess, directory: TemporaryDirectory) throws {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw ChildProcessError(description: "no pipe") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[0]) }
        pipeEnd = ends[1]
        let script = "read -r line; kill -KILL \"$1\"; rm -rf \"$2\""
        let arguments = ["sh", "-c", script, "guardian", "\(process.identifier)", directory.path]
        shell = try ChildProcess.start(arguments, input: ends[0])
    }

    /// To be called before the program is waited for, whose number then belongs to nobody.
    func dismiss() {
        shell.signal(SIGKILL)
        shell.wait()
        close(pipeEnd)
    }
}

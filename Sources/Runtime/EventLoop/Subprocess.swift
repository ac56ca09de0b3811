internal import CUV
internal import Glibc

/// A child process on a loop, started by path with an argument list and without a shell.
///
/// libuv holds a reference until the child has ended and is reaped, so a subprocess without other references is cleaned
/// up, too. Closing it (or stopping its loop) while the child runs kills and reaps the child.
///
/// ```
///  start ─► running ─► exited, reaped ─► closed
///              └── terminate() SIGTERM, kill() SIGKILL
/// ```
/// Safety: `@safe` because each continuation in `reapedWaits` is resumed once: `finish(_:)` empties the list.
@safe package final class Subprocess: LoopHandle {
    /// How a child ended.
    package enum Exit: Error, Equatable, Sendable {
        /// It returned or called `exit` with this status, 0...255.
        case status(Int)
        /// This signal ended it.
        case signal(Int)
    }

    /// The destination of one of the child's output streams.
    package enum Sink {
        /// To `/dev/null`.
        case ignore
        /// To the same place as this process's own stream.
        case inherit
        /// To `line` on the loop, line by line without the line end, decoded as UTF-8 with repairs. A line longer than
        /// 64 KiB is delivered in pieces.
        case lines((_ line: String) -> Void)
        /// To `piece` on the loop, as it arrives; one empty piece marks the end of the stream.
        case bytes((_ piece: ArraySlice<UInt8>) -> Void)
    }

    /// The settings of a child process.
    package struct Options {
        /// Standard input, closed after the last byte; nil for `/dev/null`.
        package var input: [UInt8]?
        package var output: Sink
        package var errors: Sink
        /// Makes the child the leader of a new session, so that its own children receive the signals sent here, too, and
        /// a terminal's Ctrl-C does not reach it.
        package var ownsProcessGroup: Bool
        /// Absolute path of the child's working directory; nil for that of this process.
        package var directory: String?

        package init(
            input: [UInt8]? = nil,
            output: Sink = .ignore,
            errors: Sink = .ignore,
            ownsProcessGroup: Bool = true,
            directory: String? = nil,
        ) {
            self.input = input
            self.output = output
            self.errors = errors
            self.ownsProcessGroup = ownsProcessGroup
            self.directory = directory
        }
    }

    /// The child's process id; valid for signals until ``exit`` is set.
    package private(set) var pid: Int32 = 0
    /// How the child ended; nil while it runs.
    package private(set) var exit: Exit?

    private let ownsProcessGroup: Bool
    private var pipes: [SubprocessPipe] = []
    private var exitWaits: [OneShot<Exit>] = []

    private init(loop: Loop, ownsProcessGroup: Bool) {
        self.ownsProcessGroup = ownsProcessGroup
        super.init(on: loop, handle: UV_PROCESS)
    }

    /// Starts `executable` (an absolute path) with `arguments` (without the program's own name) and exactly the given
    /// `environment`.
    ///
    /// Throws the system's error, such as `ENOENT`. *Loop thread.*
    package static func start(
        _ executable: String,
        arguments: [String],
        environment: [String: String],
        options: Options = Options(),
        on loop: Loop,
    ) throws(NetworkError) -> Subprocess {
        // A child that ends before it has read its input must not end this process; the write fails with EPIPE.
        signal(SIGPIPE, SIG_IGN)
        let process = Subprocess(loop: loop, ownsProcessGroup: options.ownsProcessGroup)
        let input = options.input.map { _ in SubprocessPipe(loop: loop, sink: .ignore) }
        let output = SubprocessPipe.reading(options.output, on: loop)
        let errors = SubprocessPipe.reading(options.errors, on: loop)
        process.pipes = [input, output, errors].compactMap(\.self)
        let stdio = unsafe [
            Self.container(input, .ignore, descriptor: 0, UV_READABLE_PIPE),
            Self.container(output, options.output, descriptor: 1, UV_WRITABLE_PIPE),
            Self.container(errors, options.errors, descriptor: 2, UV_WRITABLE_PIPE),
        ]
        do {
            try unsafe process.spawn(executable, arguments, environment, options, stdio)
        } catch {
            for pipe in process.pipes { pipe.close() }
            throw error
        }
        output?.startReading()
        errors?.startReading()
        if let input, let bytes = options.input { input.writeAndClose(bytes) }
        return process
    }

    private static func container(
        _ pipe: SubprocessPipe?,
        _ sink: Sink,
        descriptor: Int32,
        _ direction: uv_stdio_flags,
    ) -> uv_stdio_container_t {
        var container = unsafe uv_stdio_container_t()
        if let pipe {
            unsafe container.flags = uv_stdio_flags(UV_CREATE_PIPE.rawValue | direction.rawValue)
            unsafe container.data.stream = unsafe pipe.pointer(as: uv_stream_t.self)
        } else if case .inherit = sink {
            unsafe container.flags = UV_INHERIT_FD
            unsafe container.data.fd = descriptor
        } else {
            unsafe container.flags = UV_IGNORE
        }
        return unsafe container
    }

    private func spawn(
        _ executable: String,
        _ arguments: [String],
        _ environment: [String: String],
        _ options: Options,
        _ stdio: [uv_stdio_container_t],
    ) throws(NetworkError) {
        // Safety: the copies live until uv_spawn has returned; the child has its own copies then.
        var argumentList = unsafe ([executable] + arguments).map { unsafe strdup($0) } + [nil]
        var environmentList = unsafe environment.map { unsafe strdup("\($0.key)=\($0.value)") } + [nil]
        let directory = unsafe options.directory.flatMap { unsafe strdup($0) }
        defer {
            for index in unsafe argumentList.indices { unsafe free(argumentList[index]) }
            for index in unsafe environmentList.indices { unsafe free(environmentList[index]) }
            unsafe free(directory)
        }
        var stdio = unsafe stdio
        var flags: UInt32 = 0
        if ownsProcessGroup { flags |= UV_PROCESS_DETACHED.rawValue }
        let status = unsafe executable.withCString { file in
            unsafe argumentList.withUnsafeMutableBufferPointer { arguments in
                unsafe environmentList.withUnsafeMutableBufferPointer { environment in
                    unsafe stdio.withUnsafeMutableBufferPointer { stdio in
                        var settings = unsafe uv_process_options_t()
                        unsafe settings.file = unsafe file
                        unsafe settings.args = arguments.baseAddress
                        unsafe settings.env = environment.baseAddress
                        unsafe settings.cwd = unsafe UnsafePointer(directory)
                        unsafe settings.flags = flags
                        unsafe settings.stdio_count = Int32(stdio.count)
                        unsafe settings.stdio = stdio.baseAddress
                        unsafe settings.exit_cb = { process, status, signal in
                            unsafe LoopHandle.of(process, as: Subprocess.self).ended(status: status, signal: signal)
                        }
                        return unsafe uv_spawn(loop.core.uv, pointer(as: uv_process_t.self), &settings)
                    }
                }
            }
        }
        adopt()
        guard status == 0 else {
            exit = .status(127)  // Without a child there is no process to kill or reap.
            close()
            throw NetworkError(code: status)
        }
        pid = unsafe pointer(as: uv_process_t.self).pointee.pid
    }

    /// Sends SIGTERM to the child (and to its process group, if it owns one).
    ///
    /// No effect after its end.
    package func terminate() { send(SIGTERM) }

    /// Sends SIGKILL to the child (and to its process group, if it owns one).
    ///
    /// No effect after its end.
    package func kill() { send(SIGKILL) }

    /// Waits until the child has ended and is reaped.
    ///
    /// Cancelling the wait does not affect the child.
    package func waitForExit() async throws(CancellationError) -> Exit {
        if let exit { return exit }
        let wait = OneShot<Exit>(loop: loop)
        exitWaits.append(wait)
        return try await wait.value()
    }

    /// Waits like ``waitForExit()``, but also in a cancelled task; for use after ``kill()``, which ends the child at once.
    func reaped() async {
        unsafe await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            if exit != nil { unsafe continuation.resume() } else { unsafe reapedWaits.append(continuation) }
        }
    }
    private var reapedWaits: [UnsafeContinuation<Void, Never>] = unsafe []

    /// Closes the child's streams, which a grandchild may keep open.
    func closePipes() {
        for pipe in pipes { pipe.close() }
        pipes = []
    }

    private func send(_ signal: Int32) {
        loop.assertCurrent()
        guard exit == nil, pid > 0 else { return }
        // The child is not reaped yet, so its id cannot belong to another process. The group may not exist yet, because
        // the child creates it.
        if !ownsProcessGroup || Glibc.kill(-pid, signal) != 0 { _ = Glibc.kill(pid, signal) }
    }

    private func ended(status: Int64, signal: Int32) {
        finish(signal != 0 ? .signal(Int(signal)) : .status(Int(status)))
        close()
    }

    private func finish(_ exit: Exit) {
        self.exit = exit
        for wait in exitWaits { wait.succeed(exit) }
        exitWaits = []
        while let wait = unsafe reapedWaits.popLast() { unsafe wait.resume() }
    }

    override func willClose() {
        guard exit == nil else { return }
        kill()
        var status: Int32 = 0
        // Blocks only until SIGKILL takes effect: libuv does not reap a child whose handle is closed.
        while unsafe waitpid(pid, &status, 0) < 0, errno == EINTR {}
        closePipes()
        finish(.signal(Int(SIGKILL)))
    }
}

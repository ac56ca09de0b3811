internal import CUV
internal import Glibc

/// A child process on a loop, started by path with an argument list: there is never a shell in between.
///
/// libuv owns one reference until the child has ended and is reaped, so a subprocess nobody holds any more still cleans
/// up after itself. Closing it (or stopping its loop) while the child runs kills and reaps the child.
///
/// ```
///  start ─► running ─► exited, reaped ─► closed
///              └── terminate() SIGTERM, kill() SIGKILL
/// ```
package final class Subprocess: LoopHandle {
    /// How a child ended.
    package enum Exit: Error, Equatable, Sendable {
        /// It returned or called `exit` with this status, 0...255.
        case status(Int)
        /// This signal ended it.
        case signal(Int)
    }

    /// Where one of the child's output streams goes.
    package enum Sink {
        /// To `/dev/null`.
        case ignore
        /// To the same place as this process's own stream.
        case inherit
        /// To `line` on the loop, line by line without the line end, decoded as UTF-8 with repairs. A line longer than
        /// 64 KiB comes in pieces.
        case lines((_ line: String) -> Void)
        /// To `piece` on the loop, as it comes; one empty piece tells the end of the stream.
        case bytes((_ piece: ArraySlice<UInt8>) -> Void)
    }

    /// What a child is started with.
    package struct Options {
        /// Standard input, closed after the last byte; nil is `/dev/null`.
        package var input: [UInt8]?
        package var output: Sink
        package var errors: Sink
        /// Makes the child the leader of a new session, so that signals sent here reach its own children too and a
        /// terminal's Ctrl-C does not reach it.
        package var ownsProcessGroup: Bool
        /// Absolute path of the child's working directory; nil is ours.
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
    /// Throws what the system answered, such as `ENOENT`. *Loop thread.*
    package static func start(
        _ executable: String,
        arguments: [String],
        environment: [String: String],
        options: Options = Options(),
        on loop: Loop,
    ) throws(NetworkError) -> Subprocess {
        // A child that ends before it has read its input must not end this process: EPIPE is enough.
        signal(SIGPIPE, SIG_IGN)
        let process = Subprocess(loop: loop, ownsProcessGroup: options.ownsProcessGroup)
        let input = options.input.map { _ in SubprocessPipe(loop: loop, sink: .ignore) }
        let output = SubprocessPipe.reading(options.output, on: loop)
        let errors = SubprocessPipe.reading(options.errors, on: loop)
        process.pipes = [input, output, errors].compactMap(\.self)
        let stdio = [
            Self.container(input, .ignore, descriptor: 0, UV_READABLE_PIPE),
            Self.container(output, options.output, descriptor: 1, UV_WRITABLE_PIPE),
            Self.container(errors, options.errors, descriptor: 2, UV_WRITABLE_PIPE),
        ]
        do {
            try process.spawn(executable, arguments, environment, options, stdio)
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
        var container = uv_stdio_container_t()
        if let pipe {
            container.flags = uv_stdio_flags(UV_CREATE_PIPE.rawValue | direction.rawValue)
            container.data.stream = pipe.pointer(as: uv_stream_t.self)
        } else if case .inherit = sink {
            container.flags = UV_INHERIT_FD
            container.data.fd = descriptor
        } else {
            container.flags = UV_IGNORE
        }
        return container
    }

    private func spawn(
        _ executable: String,
        _ arguments: [String],
        _ environment: [String: String],
        _ options: Options,
        _ stdio: [uv_stdio_container_t],
    ) throws(NetworkError) {
        // Safety: the copies live until uv_spawn has returned; the child has its own by then.
        var argumentList = ([executable] + arguments).map { strdup($0) } + [nil]
        var environmentList = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        let directory = options.directory.flatMap { strdup($0) }
        defer {
            for copy in argumentList + environmentList { free(copy) }
            free(directory)
        }
        var stdio = stdio
        var flags: UInt32 = 0
        if ownsProcessGroup { flags |= UV_PROCESS_DETACHED.rawValue }
        let status = executable.withCString { file in
            argumentList.withUnsafeMutableBufferPointer { arguments in
                environmentList.withUnsafeMutableBufferPointer { environment in
                    stdio.withUnsafeMutableBufferPointer { stdio in
                        var settings = uv_process_options_t()
                        settings.file = file
                        settings.args = arguments.baseAddress
                        settings.env = environment.baseAddress
                        settings.cwd = UnsafePointer(directory)
                        settings.flags = flags
                        settings.stdio_count = Int32(stdio.count)
                        settings.stdio = stdio.baseAddress
                        settings.exit_cb = { process, status, signal in
                            LoopHandle.of(process, as: Subprocess.self).ended(status: status, signal: signal)
                        }
                        return uv_spawn(loop.core.uv, pointer(as: uv_process_t.self), &settings)
                    }
                }
            }
        }
        adopt()
        guard status == 0 else {
            exit = .status(127)  // It never ran, so there is nothing to kill or reap.
            close()
            throw NetworkError(code: status)
        }
        pid = pointer(as: uv_process_t.self).pointee.pid
    }

    /// Asks the child (and its process group, if it owns one) to end: SIGTERM.
    ///
    /// Does nothing after its end.
    package func terminate() { send(SIGTERM) }

    /// Ends the child (and its process group) at once: SIGKILL.
    ///
    /// Does nothing after its end.
    package func kill() { send(SIGKILL) }

    /// Waits until the child has ended and is reaped.
    ///
    /// Cancelling the wait leaves the child alone.
    package func waitForExit() async throws(CancellationError) -> Exit {
        if let exit { return exit }
        let wait = OneShot<Exit>(loop: loop)
        exitWaits.append(wait)
        return try await wait.value()
    }

    /// Waits like ``waitForExit()``, but also in a cancelled task; for after a ``kill()``, which takes no time.
    func reaped() async {
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            if exit != nil { continuation.resume() } else { reapedWaits.append(continuation) }
        }
    }
    private var reapedWaits: [UnsafeContinuation<Void, Never>] = []

    /// Stops listening to the child's streams, such as ones that a grandchild keeps open.
    func closePipes() {
        for pipe in pipes { pipe.close() }
        pipes = []
    }

    private func send(_ signal: Int32) {
        loop.assertCurrent()
        guard exit == nil, pid > 0 else { return }
        // The child is not reaped yet, so its id cannot belong to anyone else. The group may not exist for a moment,
        // because the child makes it itself.
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
        for wait in reapedWaits { wait.resume() }
        reapedWaits = []
    }

    override func willClose() {
        guard exit == nil else { return }
        kill()
        var status: Int32 = 0
        // Blocks only for the moment that SIGKILL takes: libuv would no longer reap a child whose handle is closed.
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        closePipes()
        finish(.signal(Int(SIGKILL)))
    }
}

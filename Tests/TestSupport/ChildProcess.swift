internal import Glibc

/// Why a helper program of a test failed.
package struct ChildProcessError: Error, CustomStringConvertible {
    package let description: String
    package init(description: String) { self.description = description }
}

/// A child process that a test starts.
package struct ChildProcess: Sendable {
    package let identifier: Int32

    /// Starts `arguments[0]`, looked up in PATH; its output goes to `outputPath`, its input comes from a descriptor.
    ///
    /// `environment` is its whole environment; nil is that of the test process.
    package static func start(
        _ arguments: [String],
        input: Int32? = nil,
        outputPath: String = "/dev/null",
        environment: [String: String]? = nil,
    ) throws -> ChildProcess {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        if let input {
            unsafe posix_spawn_file_actions_adddup2(&actions, input, 0)
        } else {
            unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }
        unsafe posix_spawn_file_actions_addopen(&actions, 1, outputPath, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        unsafe posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var pointers = unsafe arguments.map { unsafe strdup($0) } + [nil]
        var variables = unsafe (environment ?? [:]).map { unsafe strdup("\($0)=\($1)") } + [nil]
        defer {
            for index in unsafe pointers.indices { unsafe free(pointers[index]) }
            for index in unsafe variables.indices { unsafe free(variables[index]) }
        }
        var identifier: pid_t = 0
        let status =
            if environment == nil {
                unsafe posix_spawnp(&identifier, arguments[0], &actions, nil, &pointers, environ)
            } else {
                unsafe posix_spawnp(&identifier, arguments[0], &actions, nil, &pointers, &variables)
            }
        guard status == 0 else {
            throw ChildProcessError(description: unsafe "\(arguments[0]): \(String(cString: strerror(status)))")
        }
        return ChildProcess(identifier: identifier)
    }

    /// Runs a program to its end; throws unless it exits with status 0.
    package static func run(_ arguments: [String], outputPath: String = "/dev/null") throws {
        let status = try start(arguments, outputPath: outputPath).wait()
        guard status == 0 else {
            throw ChildProcessError(description: "\(arguments.joined(separator: " ")) ended with \(status)")
        }
    }

    package func signal(_ number: Int32) { kill(identifier, number) }

    /// Blocks until the program has ended; returns the status of waitpid(2).
    @discardableResult
    package func wait() -> Int32 {
        var status: Int32 = 0
        while unsafe waitpid(identifier, &status, 0) < 0, errno == EINTR {}
        return status
    }

    /// The status of waitpid(2) once the program has ended; nil before.
    ///
    /// Returned once: the read reaps the child.
    package var endStatus: Int32? {
        var status: Int32 = 0
        return unsafe waitpid(identifier, &status, WNOHANG) == 0 ? nil : status
    }
}

internal import Glibc

/// A file of log lines that an operator may move away while the process writes: ``reopen()`` begins a new one.
///
/// Safe from any thread.
package final class LogFile: Sendable {
    /// What lines are written to; valid as long as this object, before and after ``reopen()``.
    package let descriptor: Int32
    private let path: String

    /// Appends to the file; one that does not exist is created, readable by its owner alone.
    package init(path: String) throws(SystemError) {
        self.path = path
        descriptor = try Self.open(path)
    }

    deinit { close(descriptor) }

    /// Lets the following lines go to the file that has the path now; after a failure, to the one before.
    package func reopen() throws(SystemError) {
        let fresh = try Self.open(path)
        defer { close(fresh) }
        // Replaces the file behind the descriptor in one step, so that no line is written to a closed one.
        guard dup2(fresh, descriptor) >= 0 else { throw .last }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }

    private static func open(_ path: String) throws(SystemError) -> Int32 {
        let descriptor = unsafe Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .last }
        return descriptor
    }
}

internal import Glibc

/// An exclusive lock on a file (flock(2)), released when the value or the process ends.
package struct FileLock: ~Copyable {
    private let descriptor: Int32

    /// Creates the file where it is missing; its folder must exist.
    ///
    /// Does not block.
    ///
    /// Throws `EWOULDBLOCK` when another process holds the lock.
    package init(at path: String) throws(SystemError) {
        let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .last }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let error = SystemError.last
            close(descriptor)
            throw error
        }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }
}

extension SystemError {
    /// Another process holds the lock.
    package static let lockIsHeld = SystemError(code: EWOULDBLOCK)
}

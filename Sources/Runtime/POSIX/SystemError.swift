internal import Glibc

/// An error of a system call.
package struct SystemError: Error, Equatable, CustomStringConvertible {
    /// The `errno`.
    package let code: Int32

    package init(code: Int32) { self.code = code }

    /// The error of the calling thread's last failed system call.
    static var last: SystemError { SystemError(code: errno) }

    /// The system's text, such as `No such file or directory`.
    package var description: String {
        // Safety: strerror(3) returns a zero-terminated text that is valid until the thread's next call of it.
        unsafe String(cString: strerror(code))
    }
}

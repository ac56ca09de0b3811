internal import Glibc
internal import Synchronization

/// The limit of file descriptors of this process, `RLIMIT_NOFILE`.
///
/// The kernel enforces the soft limit. Its default is 1,024, because select(2) cannot handle higher descriptors. Lemma and
/// its libraries use epoll and poll, so the process raises its own limit; child processes start with the original limit.
package enum DescriptorLimit {
    /// The limits before and after ``raise()``.
    package struct Change: Sendable, Equatable {
        package let softBefore: Int
        package let soft: Int
        package let hard: Int
    }

    private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    private static let change = Mutex<Change?>(nil)
    // Safety: written once under the mutex, before the handler that reads it is registered.
    private nonisolated(unsafe) static var inherited = rlimit()

    /// Raises the soft limit to the hard limit, once per process; later calls return the result of the first.
    ///
    /// `soft` equals `softBefore` where the system rejects the change.
    @discardableResult
    package static func raise() -> Change {
        change.withLock { change in
            if let change { return change }
            var limit = rlimit()
            unsafe getrlimit(resource, &limit)
            let before = limit
            limit.rlim_cur = limit.rlim_max
            if before.rlim_cur != before.rlim_max, unsafe setrlimit(resource, &limit) == 0 {
                unsafe inherited = before
                restoreInChildren()
            }
            unsafe getrlimit(resource, &limit)
            let made = Change(
                softBefore: count(before.rlim_cur),
                soft: count(limit.rlim_cur),
                hard: count(limit.rlim_max),
            )
            change = made
            return made
        }
    }

    /// Safety: the handler runs in the child between fork(2) and execve(2), where only async-signal-safe calls are
    /// allowed; setrlimit(2) is a plain system call.
    private static func restoreInChildren() {
        pthread_atfork(nil, nil) {
            _ = unsafe setrlimit(DescriptorLimit.resource, &DescriptorLimit.inherited)
        }
    }

    /// `Int.max` for no limit.
    private static func count(_ limit: rlim_t) -> Int { Int(clamping: limit) }
}

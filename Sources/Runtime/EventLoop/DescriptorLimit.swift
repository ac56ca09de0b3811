internal import Glibc
internal import Synchronization

/// The limit of file descriptors of this process, `RLIMIT_NOFILE`.
///
/// The soft limit is the one that is enforced. It is 1,024 by default, because select(2) cannot handle higher
/// descriptors. Lemma and its libraries use epoll and poll, so it raises its own limit; a child process starts with the
/// limit that this process was started with.
package enum DescriptorLimit {
    /// What ``raise()`` found and reached.
    package struct Change: Sendable, Equatable {
        package let softBefore: Int
        package let soft: Int
        package let hard: Int
    }

    private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    private static let change = Mutex<Change?>(nil)
    // Safety: written once, before the handler that reads it is registered.
    private nonisolated(unsafe) static var inherited = rlimit()

    /// Raises the soft limit to the hard one, once in a process; later calls return what the first one did.
    ///
    /// `soft` equals `softBefore` where the system refuses.
    @discardableResult
    package static func raise() -> Change {
        change.withLock { change in
            if let change { return change }
            var limit = rlimit()
            getrlimit(resource, &limit)
            let before = limit
            limit.rlim_cur = limit.rlim_max
            if before.rlim_cur != before.rlim_max, setrlimit(resource, &limit) == 0 {
                inherited = before
                restoreInChildren()
            }
            getrlimit(resource, &limit)
            let made = Change(
                softBefore: count(before.rlim_cur),
                soft: count(limit.rlim_cur),
                hard: count(limit.rlim_max),
            )
            change = made
            return made
        }
    }

    /// Safety: the handler runs in the child between fork(2) and execve(2), where only a system call is allowed.
    private static func restoreInChildren() {
        pthread_atfork(nil, nil) {
            _ = setrlimit(DescriptorLimit.resource, &DescriptorLimit.inherited)
        }
    }

    /// `Int.max` for no limit.
    private static func count(_ limit: rlim_t) -> Int { Int(clamping: limit) }
}

internal import Glibc

extension ChildProcess {
    /// How a program ended.
    package enum Exit: Sendable, Equatable {
        case code(Int32)
        case signal(Int32)
    }

    /// Blocks until the program has ended; nil when it still runs after `limit`.
    ///
    /// To be called once: it reaps the child.
    package func waitForExit(within limit: Duration) -> Exit? {
        let deadline = ContinuousClock.now + limit
        var status: Int32 = 0
        while true {
            if unsafe waitpid(identifier, &status, WNOHANG) == identifier {
                let signal = status & 0x7F
                return signal == 0 ? .code((status >> 8) & 0xFF) : .signal(signal)
            }
            guard ContinuousClock.now < deadline else { return nil }
            usleep(2000)
        }
    }

    /// True while the program runs; a call after its end reaps it.
    package var isRunning: Bool { endStatus == nil }

    /// True while a process with this id exists, whether or not it is a child of this one.
    package static func exists(_ identifier: Int32) -> Bool { kill(identifier, 0) == 0 || errno == EPERM }
}

internal import Glibc

/// The system's clock, for times that are measured between machines.
package enum UnixTime {
    /// Microseconds since 1970, now.
    package static var microseconds: Int64 {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1000
    }
}

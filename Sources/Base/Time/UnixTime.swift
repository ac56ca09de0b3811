internal import Glibc

/// The system's wall clock, for times that are compared between machines; it may jump.
package enum UnixTime {
    /// Nanoseconds since 1970.
    package static var nanoseconds: Int64 { read(CLOCK_REALTIME) }

    /// Microseconds since 1970, rounded down.
    package static var microseconds: Int64 { nanoseconds / 1000 }

    /// Milliseconds since 1970, rounded down.
    package static var milliseconds: Int64 { nanoseconds / 1_000_000 }
}

/// The system's monotonic clock, for durations; the same for all processes of a machine.
package enum MonotonicTime {
    /// Nanoseconds since a fixed moment, usually the start of the machine.
    package static var nanoseconds: Int64 { read(CLOCK_MONOTONIC) }

    /// The time since an earlier value of ``nanoseconds``.
    package static func since(_ start: Int64) -> Duration { .nanoseconds(nanoseconds - start) }
}

/// Fails for no clock that exists on Linux.
private func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    unsafe clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

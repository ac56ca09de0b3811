/// Measures for how long a peer has acknowledged nothing of the output that waits for it.
struct StallWatch {
    private var since: Int64?
    private var acknowledgedBytes: UInt64 = 0

    /// The time without progress up to `now`, both in milliseconds; 0 where nothing waits or where there was progress since
    /// the call before.
    ///
    /// `acknowledgedBytes` costs a system call, so it is evaluated only where something waits.
    mutating func stalledMilliseconds(
        at now: Int64,
        pendingBytes: Int,
        acknowledgedBytes current: @autoclosure () -> UInt64
    ) -> Int64 {
        guard pendingBytes > 0 else {
            since = nil
            return 0
        }
        let current = current()
        if let since, current == acknowledgedBytes { return now - since }
        since = now
        acknowledgedBytes = current
        return 0
    }
}

internal import EventLoop

/// One timer for many deadlines: it fires no later than the earliest of them, and its owner then checks which have passed.
///
/// It never fires per command: under steady traffic it fires once per deadline's length and is rescheduled.
/// ```
/// idle ──watch──► scheduled ──earliest passed──► suspicious (grace of 20 ms for the socket) ──► over
///                    ▲            │ not passed yet
///                    └────────────┘
/// ```
final class DeadlineWatch {
    /// A deadline that passed while this loop was busy is not the server's fault: the loop reads what has arrived first.
    private static let grace = Duration.milliseconds(20)

    private let loop: Loop
    private var check: () -> Void = {}
    private var timer: LoopTimer?
    private var due = Int64.max
    private var isSuspicious = false

    init(loop: Loop) { self.loop = loop }

    /// Sets the action for when a deadline may have passed; `check` must not retain the owner, which retains this.
    func onDeadline(_ check: @escaping () -> Void) { self.check = check }

    /// Makes sure that the owner checks at `due`, in loop time in milliseconds.
    func watch(_ due: Int64) {
        guard due < self.due else { return }
        set(due, after: .milliseconds(max(0, due - loop.nowMilliseconds)))
    }

    /// Called by the check with the earliest deadline: true when it has passed and the socket was read after that.
    ///
    /// Otherwise schedules the next check.
    func isReallyOver(_ earliest: Int64) -> Bool {
        guard earliest <= loop.nowMilliseconds else {
            isSuspicious = false
            if earliest < .max { watch(earliest) }
            return false
        }
        if isSuspicious { return true }
        isSuspicious = true
        set(earliest, after: Self.grace)
        return false
    }

    /// Drops the deadline that has passed and continues with `earliest`; `.max` is none.
    func restart(_ earliest: Int64) {
        close()
        if earliest < .max { watch(earliest) }
    }

    func close() {
        timer?.close()
        timer = nil
        due = .max
        isSuspicious = false
    }

    private func set(_ due: Int64, after delay: Duration) {
        timer?.close()
        self.due = due
        timer = loop.schedule(after: delay) {
            self.due = .max
            self.check()
        }
    }
}

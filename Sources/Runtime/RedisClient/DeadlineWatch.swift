internal import EventLoop

/// One timer for many deadlines: it fires no later than the earliest of them, and its owner then looks which are over.
///
/// It never fires per command: under steady traffic it fires once in a deadline's length and is set anew.
final class DeadlineWatch {
    /// A deadline that passed while this loop itself was busy is not the server's fault: what has arrived is read first.
    private static let grace = Duration.milliseconds(20)

    private let loop: Loop
    private var check: () -> Void = {}
    private var timer: LoopTimer?
    private var due = Int64.max
    private var isSuspicious = false

    init(loop: Loop) { self.loop = loop }

    /// Sets what to do when a deadline may be over; `check` must not hold its owner, which holds this.
    func onDeadline(_ check: @escaping () -> Void) { self.check = check }

    /// Makes sure that the owner checks at `due`, in loop time in milliseconds.
    func watch(_ due: Int64) {
        guard due < self.due else { return }
        set(due, after: .milliseconds(max(0, due - loop.nowMilliseconds)))
    }

    /// To be called from the check with the earliest deadline: true when it is over and the socket had its turn after
    /// that.
    ///
    /// Otherwise the next check is planned.
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

    /// Forgets a deadline that was found over and goes on with `earliest`, if there is one.
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

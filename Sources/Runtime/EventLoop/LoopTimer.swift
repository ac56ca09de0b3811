internal import CUV
internal import Time

/// A timer on a loop: once or repeating, cancelled by ``LoopHandle/close()``.
///
/// Resolution is one millisecond; a repeating timer that falls behind skips beats and does not catch up.
package final class LoopTimer: LoopHandle {
    private var action: (() -> Void)?
    private let repeats: Bool

    fileprivate init(loop: Loop, after delay: Duration, every period: Duration?, action: @escaping () -> Void) {
        self.action = action
        repeats = period != nil
        super.init(on: loop, handle: UV_TIMER)
        let timer = pointer(as: uv_timer_t.self)
        uv_timer_init(loop.core.uv, timer)
        adopt()
        uv_timer_start(
            timer,
            { LoopHandle.of($0, as: LoopTimer.self).fire() },
            delay.timerTicks + loop.lagMilliseconds,
            period?.timerTicks ?? 0
        )
    }

    private func fire() {
        let action = action
        if !repeats { close() }
        action?()
    }

    override func willClose() { action = nil }
}

extension Loop {
    /// Runs `action` once after `delay` (negative counts as zero).
    ///
    /// Keep the timer only to cancel it. *Loop thread.*
    @discardableResult
    package nonisolated func schedule(after delay: Duration, _ action: @escaping () -> Void) -> LoopTimer {
        LoopTimer(loop: self, after: delay, every: nil, action: action)
    }

    /// Runs `action` every `period` (at least one millisecond) until the timer is closed.
    ///
    /// *Loop thread.*
    package nonisolated func schedule(every period: Duration, _ action: @escaping () -> Void) -> LoopTimer {
        LoopTimer(loop: self, after: period, every: max(period, .milliseconds(1)), action: action)
    }

    /// Suspends the current task for `delay`; throws `CancellationError` as soon as the task is cancelled.
    ///
    /// To be called from a task of this loop.
    package nonisolated(nonsending) func sleep(for delay: Duration) async throws(CancellationError) {
        let wait = OneShot<Void>(loop: self)
        let timer = schedule(after: delay) { wait.succeed(()) }
        defer { timer.close() }
        try await wait.value()
    }
}

extension Loop {
    /// How far the loop's time, which stands still during a turn, is behind.
    ///
    /// libuv counts delays from the loop's time, so that a timer set after long work would fire early by as much.
    fileprivate nonisolated var lagMilliseconds: UInt64 {
        let now = uv_hrtime() / 1_000_000
        let loopTime = uv_now(core.uv)
        return now > loopTime ? now - loopTime : 0
    }
}

extension Duration {
    /// Whole milliseconds, rounded up, 0 for a negative duration: what libuv counts in.
    var timerTicks: UInt64 {
        // The upper limit is beyond what a clock reaches: a peer may have named the time.
        UInt64(min(max(0, wholeMilliseconds), 1 << 50))
    }
}

internal import CUV
internal import Time

/// A one-shot or repeating timer on a loop; ``LoopHandle/close()`` cancels it.
///
/// Resolution is one millisecond; a repeating timer that falls behind skips the missed periods.
package final class LoopTimer: LoopHandle {
    private var action: (() -> Void)?
    private let repeats: Bool

    fileprivate init(loop: Loop, after delay: Duration, every period: Duration?, action: @escaping () -> Void) {
        self.action = action
        repeats = period != nil
        super.init(on: loop, handle: UV_TIMER)
        let timer = unsafe pointer(as: uv_timer_t.self)
        unsafe uv_timer_init(loop.core.uv, timer)
        adopt()
        unsafe uv_timer_start(
            timer,
            { unsafe LoopHandle.of($0, as: LoopTimer.self).fire() },
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
    /// The loop retains the timer; the caller needs it only to cancel. *Loop thread.*
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
    /// How far the loop's time, which does not advance during a turn, is behind the clock.
    ///
    /// libuv counts delays from the loop's time, so a timer set after long work would fire early by this much.
    fileprivate nonisolated var lagMilliseconds: UInt64 {
        let now = uv_hrtime() / 1_000_000
        let loopTime = unsafe uv_now(core.uv)
        return now > loopTime ? now - loopTime : 0
    }
}

extension Duration {
    /// libuv's unit: whole milliseconds, rounded up; 0 for a negative duration.
    var timerTicks: UInt64 {
        // A peer may have chosen the duration: cap it at 2^50 ms, beyond any clock.
        UInt64(min(max(0, wholeMilliseconds), 1 << 50))
    }
}

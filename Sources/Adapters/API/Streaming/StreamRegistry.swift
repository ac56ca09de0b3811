internal import Application
package import EventLoop
package import Instrumentation
internal import Telemetry
internal import Time

/// What a drain has to end on one loop: live viewers, on whatever transport, and requests that wait for an end.
///
/// Also sends heartbeats, closes the connections of vanished clients, and ends what callers whose access was withdrawn
/// still receive. Loop-owned.
package final class StreamRegistry {
    /// The longest pause between two sweeps.
    private static let sweepMax = Duration.seconds(1)
    /// Heartbeats without an acknowledgement after which a client counts as vanished.
    private static let heartbeatsUnansweredMax: Int64 = 3

    let loop: Loop
    let bufferBytesMax: Int
    let metrics: StreamMetrics
    let withdrawn: WithdrawnAccess
    private let heartbeatMilliseconds: Int64
    /// True once everything is being ended, also what begins later.
    private(set) var isEnding = false
    private var viewers: [ObjectIdentifier: any LiveViewer] = [:]
    private var waiters: [ObjectIdentifier: Wait] = [:]
    /// The withdrawals that the viewers and waiters were compared with.
    private var comparedChanges = 0
    /// This loop's share of the gauge.
    private var bufferedBytes = 0
    private var nextVanishedSweep: Int64 = 0
    private var sweep: LoopTimer?

    private struct Wait {
        let waiter: any RequestEndWaiter
        let access: CallerAccess
    }

    /// `heartbeat` is the silence on a stream after which a heartbeat is sent; `bufferBytesMax` is what a client may leave
    /// untaken before its stream falls back to reading from the store.
    package init(
        loop: Loop,
        heartbeat: Duration,
        bufferBytesMax: Int,
        metrics: StreamMetrics,
        withdrawn: WithdrawnAccess
    ) {
        self.loop = loop
        self.bufferBytesMax = bufferBytesMax
        self.metrics = metrics
        self.withdrawn = withdrawn
        heartbeatMilliseconds = heartbeat.wholeMilliseconds
        sweep = loop.schedule(every: min(Self.sweepMax, heartbeat / 4)) { [weak self] in self?.lookAtViewers() }
    }

    func add(_ viewer: any LiveViewer) {
        viewers[ObjectIdentifier(viewer)] = viewer
        metrics.active.increment()
        // Withdrawn since the caller was identified.
        if withdrawn.covers(viewer.access) { loop.executeSoon { viewer.endForWithdrawal() } }
    }

    func remove(_ viewer: any LiveViewer) {
        guard viewers.removeValue(forKey: ObjectIdentifier(viewer)) != nil else { return }
        metrics.active.decrement()
    }

    /// Waits for the end of a request; false where it did not end within `limit`, or before the replica drains.
    ///
    /// Throws a 401 where the caller's access is withdrawn meanwhile.
    func wait(
        for waiter: any RequestEndWaiter,
        of access: CallerAccess,
        within limit: Duration
    ) async throws(APIProblem) -> Bool {
        guard !isEnding else { return false }
        waiters[ObjectIdentifier(waiter)] = Wait(waiter: waiter, access: access)
        let hasEnded = await waiter.wait(within: limit)
        waiters[ObjectIdentifier(waiter)] = nil
        guard !withdrawn.covers(access) else { throw .accessWithdrawn }
        return hasEnded
    }

    private func lookAtViewers() {
        endWithdrawn()
        let now = loop.nowMilliseconds
        let due = now - heartbeatMilliseconds
        var pendingBytes = 0
        for viewer in viewers.values {
            if viewer.lastWrite <= due { viewer.sendHeartbeat() }
            pendingBytes += viewer.pendingBytes
        }
        note(bufferedBytes: pendingBytes)
        guard now >= nextVanishedSweep else { return }
        nextVanishedSweep = now + heartbeatMilliseconds
        for viewer in viewers.values {
            viewer.closeIfVanished(after: heartbeatMilliseconds * Self.heartbeatsUnansweredMax)
        }
    }

    private func endWithdrawn() {
        let changes = withdrawn.changes
        guard changes != comparedChanges else { return }
        comparedChanges = changes
        for wait in waiters.values where withdrawn.covers(wait.access) { wait.waiter.cancel() }
        for viewer in viewers.values where withdrawn.covers(viewer.access) { viewer.endForWithdrawal() }
    }

    /// Ends every viewer between two events, each after its own hint when to reconnect, and every wait, which is answered
    /// with the state of this moment; viewers and waits that begin later end at once.
    package func endAll() {
        isEnding = true
        for wait in waiters.values { wait.waiter.cancel() }
        for viewer in viewers.values { viewer.endForDrain() }
    }

    private func note(bufferedBytes bytes: Int) {
        if bytes != bufferedBytes { metrics.bufferedBytes.add(Double(bytes - bufferedBytes)) }
        bufferedBytes = bytes
    }

    package func close() {
        sweep?.close()
        sweep = nil
        note(bufferedBytes: 0)
    }
}

internal import Application
package import EventLoop
package import Instrumentation
internal import Shared
internal import Telemetry
internal import Time

/// The open event streams of one loop and the requests that wait for an end: heartbeats, and the end of both when the
/// replica drains.
///
/// Loop-owned.
package final class StreamRegistry {
    /// The longest pause between two looks at the heartbeats.
    private static let sweepMax = Duration.seconds(1)
    /// Heartbeats without an acknowledgement after which a client counts as gone.
    private static let heartbeatsUnansweredMax: Int64 = 3

    let loop: Loop
    let bufferBytesMax: Int
    let metrics: StreamMetrics
    private let heartbeatMilliseconds: Int64
    /// True once every stream is being ended, also those yet to come.
    private(set) var isEnding = false
    private var viewers: [SSEViewer] = []
    private var waits: [ObjectIdentifier: any EndWatch] = [:]
    /// What the gauge has of this loop.
    private var bufferedBytes = 0
    private var nextVanishedSweep: Int64 = 0
    private var sweep: LoopTimer?

    /// `heartbeat` is the silence on a stream after which a comment is sent; `bufferBytesMax` is what a client may leave
    /// untaken before its stream falls back to reading from the store.
    package init(loop: Loop, heartbeat: Duration, bufferBytesMax: Int, metrics: StreamMetrics) {
        self.loop = loop
        self.bufferBytesMax = bufferBytesMax
        self.metrics = metrics
        heartbeatMilliseconds = heartbeat.wholeMilliseconds
        sweep = loop.schedule(every: min(Self.sweepMax, heartbeat / 4)) { [weak self] in self?.sendHeartbeats() }
    }

    func add(_ viewer: SSEViewer) {
        viewer.slot = viewers.count
        viewers.append(viewer)
        metrics.active.increment()
    }

    func remove(_ viewer: SSEViewer) {
        guard viewer.slot < viewers.count, viewers[viewer.slot] === viewer else { return }
        let last = viewers.removeLast()
        if last !== viewer {
            viewers[viewer.slot] = last
            last.slot = viewer.slot
        }
        viewer.didEnd()
        metrics.active.decrement()
    }

    /// Waits for the end of a request; false where it was not seen within `limit`, or before the replica drains.
    func wait(for end: any EndWatch, within limit: Duration) async -> Bool {
        guard !isEnding else { return false }
        waits[ObjectIdentifier(end)] = end
        defer { waits[ObjectIdentifier(end)] = nil }
        return await end.wait(within: limit)
    }

    private func sendHeartbeats() {
        let now = loop.nowMilliseconds
        let due = now - heartbeatMilliseconds
        var pendingBytes = 0
        for viewer in viewers {
            if viewer.lastWrite <= due { viewer.sendHeartbeat() }
            pendingBytes += viewer.pendingBytes
        }
        note(bufferedBytes: pendingBytes)
        guard now >= nextVanishedSweep else { return }
        nextVanishedSweep = now + heartbeatMilliseconds
        // Backwards, because who leaves gives its slot to the last one.
        for slot in viewers.indices.reversed() where slot < viewers.count {
            viewers[slot].leaveIfVanished(after: heartbeatMilliseconds * Self.heartbeatsUnansweredMax)
        }
    }

    /// Ends every stream between two events, each after its own hint when to come back, and every wait, which is answered
    /// with the state of this moment; so do those that begin later.
    package func endAll() {
        isEnding = true
        for end in waits.values { end.giveUp() }
        for viewer in viewers { viewer.sendAway(.drained) }
    }

    private func note(bufferedBytes bytes: Int) {
        if bytes != bufferedBytes { metrics.bufferedBytes.add(Double(bytes - bufferedBytes)) }
        bufferedBytes = bytes
    }

    /// Measures a sampled event when what is being written now has reached the socket, by the clocks of two machines: what
    /// one of them is ahead counts as nothing.
    func measureDelivery(since appended: Int64, in traceID: String?) {
        loop.executeSoon { [metrics] in
            let time = Duration.microseconds(max(0, UnixTime.microseconds - appended))
            metrics.deliverySeconds.observe(time, exemplar: traceID)
        }
    }

    func measureFirstToken(since submitted: Timestamp, in traceID: String?) {
        let waited = UnixTime.microseconds - submitted.milliseconds * 1000
        metrics.firstTokenSeconds.observe(.microseconds(max(0, waited)), exemplar: traceID)
    }

    package func close() {
        sweep?.close()
        sweep = nil
        note(bufferedBytes: 0)
    }
}

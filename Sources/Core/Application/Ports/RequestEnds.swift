package import Shared

/// Tells when requests end, by push.
package protocol RequestEnds {
    /// Waits until the request has ended, at most `limit`; returns early when the task is cancelled.
    ///
    /// `cursor` is an event from before the end, so that nothing older is read. A hint: a push can be lost, so the caller
    /// looks itself afterwards.
    func waitForEnd(of record: RequestRecord, after cursor: EventID?, within limit: Duration) async
}

package import Shared

/// Reports when requests end, by push.
package protocol RequestEnds {
    /// `cursor` is an event from before the end, so that nothing older is read; nil reads from the first one.
    func watchEnd(of record: RequestRecord, after cursor: EventID?) -> any EndWatch
}

/// One wait for the end of one request.
package protocol EndWatch: AnyObject {
    /// Waits until the request has ended, at most `limit`; called once.
    ///
    /// True where the end was seen; false after `limit`, ``giveUp()`` or a cancellation of the task. A hint: a push can be
    /// lost, so the caller looks itself afterwards.
    func wait(within limit: Duration) async -> Bool
    /// Ends the wait at once, also one that has not begun.
    func giveUp()
}

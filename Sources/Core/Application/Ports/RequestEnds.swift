package import Domain

/// Waits for requests to end, without reading their events.
package protocol RequestEnds {
    /// A waiter for the end of one request.
    func waiter(for request: MathRequest) -> any RequestEndWaiter
}

/// One wait for the end of one request.
package protocol RequestEndWaiter: AnyObject {
    /// Waits until the request has ended, at most `limit`; called once.
    ///
    /// An end before this call counts. Returns true where the request is over or has expired; false after `limit`, after
    /// ``cancel()`` or a cancellation of the task. While the store is away the end is noticed late, so the caller reads the
    /// request afterwards.
    func wait(within limit: Duration) async -> Bool
    /// Ends the wait at once, also one that has not begun.
    func cancel()
}

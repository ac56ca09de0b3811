/// Hears what a client does, for metrics.
///
/// Called on the loop's thread; must return quickly and not use the client.
package protocol RedisObserver: AnyObject {
    /// A command that was sent has its reply, or never will: `succeeded` is false for error replies too.
    func commandFinished(after duration: Duration, succeeded: Bool)
    /// A connection is ready; `again` after the first time.
    func connected(again: Bool)
    /// No connection came about; `reason` holds no secret.
    func connectionFailed(reason: String)
    /// A server that owed an answer was given up.
    func timedOut()
}

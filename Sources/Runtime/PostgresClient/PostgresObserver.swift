/// Receives what a pool does, for metrics and logs.
///
/// Called on the pool's loop; must return quickly and must not use the pool.
package protocol PostgresObserver: AnyObject {
    /// A caller got a connection, or its wait failed, after this time.
    func waited(_ duration: Duration)
    /// A batch that was sent has its result, or has failed.
    func batchFinished(after duration: Duration, succeeded: Bool)
    func connectionOpened()
    /// `isLost` is true where the pool did not close the connection itself.
    func connectionClosed(isLost: Bool)
    /// The number of connections in use, or of callers that wait for one, has changed.
    func usageChanged(inUse: Int, waiting: Int)
    /// An attempt to connect failed; `reason` holds no secret.
    func connectionFailed(reason: String)
    /// A batch exceeded its deadline.
    func timedOut()
}

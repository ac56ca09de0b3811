/// Hears what a pool does, for metrics.
///
/// Called on the pool's loop; must return quickly and not use the pool.
package protocol PostgresObserver: AnyObject {
    /// A caller got a connection, or gave up, after this time.
    func waited(_ duration: Duration)
    /// A batch that was sent has its result, or never will.
    func batchFinished(after duration: Duration, succeeded: Bool)
    func connectionOpened()
    /// `isLost` where the connection broke by itself.
    func connectionClosed(isLost: Bool)
    /// So many connections are at work, and so many callers wait for one.
    func usageChanged(inUse: Int, waiting: Int)
    /// No connection came about; `reason` holds no secret.
    func connectionFailed(reason: String)
    /// A batch ran into its deadline.
    func timedOut()
}

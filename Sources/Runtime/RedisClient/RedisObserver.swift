/// Receives what a client does, for metrics and logs.
///
/// Called on the loop's thread; must return quickly and must not use the client.
package protocol RedisObserver: AnyObject {
    /// A command that was sent got its reply, or failed; `succeeded` is false for error replies too.
    func commandFinished(after duration: Duration, succeeded: Bool)
    /// A connection is ready; `again` is true after the first time.
    func connected(again: Bool)
    /// An attempt to connect failed; `reason` holds no secret.
    func connectionFailed(reason: String)
    /// Redis refused a command because the client's user lacks a permission (ACL); the connection is closed.
    func permissionMissing(reason: String)
    /// A server that did not reply in time was disconnected.
    func timedOut()
}

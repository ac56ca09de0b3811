/// A client that receives events live, as the registry of its loop sees it, whatever its transport is.
///
/// Loop-owned. A viewer adds itself to the registry when its first bytes are written, and removes itself once.
protocol LiveViewer: AnyObject {
    /// Whose access the stream depends on.
    var access: CallerAccess { get }
    /// Loop time of the last write, in milliseconds.
    var lastWrite: Int64 { get }
    /// Bytes written that the client has not taken yet.
    var pendingBytes: Int { get }
    /// Writes something that is no event, so that no proxy takes the connection for a dead one.
    func sendHeartbeat()
    /// Closes the connection where the client's side has acknowledged nothing for `silenceMax` milliseconds.
    func closeIfVanished(after silenceMax: Int64)
    /// Ends between two events, with a hint when to reconnect.
    func endForDrain()
    /// Ends between two events because the caller's access was withdrawn; the client learns that when it reconnects.
    func endForWithdrawal()
}

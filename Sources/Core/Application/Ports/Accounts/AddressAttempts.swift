/// Limits the requests with a password that one client address may send, counted in all replicas together.
///
/// With the counters away each replica counts by itself, at the same rate: this port has no failure.
package protocol AddressAttempts {
    /// Counts one request of `address`; returns the limit that it would exceed, nil where it is admitted.
    func admit(from address: String) async -> LimitReached?
}

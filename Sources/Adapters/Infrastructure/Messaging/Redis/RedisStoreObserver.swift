/// Notified of the calls of a ``RedisStore``, on its loop; a call must not wait.
package protocol RedisStoreObserver: AnyObject {
    /// Dead letters were deleted, because there were more than the limit.
    func deadLettersDropped(_ count: Int)
    /// Redis rejected a call of a library function permanently: a key has another type, or the function has an error.
    func callRefused(function: String, error: String)
}

/// Which callers a route admits.
enum AccessPolicy {
    /// Every client; credentials are not read, and the caller is ``Caller/anonymous``.
    case open
    /// A user, identified by the `Authorization` header.
    case user
    /// The same, or the holder of a ticket (`?ticket=`) for the stream that the path names: a browser's `EventSource`
    /// cannot send a header.
    case ticketOrUser
}

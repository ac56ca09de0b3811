/// How long the body of a request may be; above it the response is a 413.
struct BodyLimit: Sendable {
    let bytes: Int

    /// For JSON; also for requests that need no body, because some clients send an empty object with any of them.
    static let json = BodyLimit(bytes: 64 * 1024)

    /// A body up to this is read also where the head alone decides that the request is rejected.
    static let shortBytes = 4 * 1024
}

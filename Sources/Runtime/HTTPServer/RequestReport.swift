/// What metrics need to know of the request being answered.
struct RequestReport {
    let method: HTTPMethod
    /// When its last byte had arrived.
    let began: ContinuousClock.Instant
    var note: RequestNote?
    /// nil until the response has begun.
    var status: Int?

    init(method: HTTPMethod, began: ContinuousClock.Instant) {
        self.method = method
        self.began = began
    }
}

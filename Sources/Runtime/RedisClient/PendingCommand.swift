/// A command that was sent or waits for a connection.
struct PendingCommand {
    /// Loop time in milliseconds.
    let due: Int64
    /// Monotonic nanoseconds; 0 without an observer.
    let sentAt: Int64
    let completion: RedisConnection.Completion
    /// Where the command begins among all bytes written on its connection.
    var offset: UInt64 = 0

    init(due: Int64, sentAt: Int64, completion: @escaping RedisConnection.Completion) {
        self.due = due
        self.sentAt = sentAt
        self.completion = completion
    }
}

/// Why a connection closes.
enum CloseCause {
    /// The client closed it.
    case client
    /// A command's deadline passed.
    case deadline
    /// The socket broke, or a reply made the connection unusable.
    case lost
}

extension PendingCommand {
    /// The error of a command whose connection closes before its reply.
    ///
    /// ```
    /// cause     command            error
    /// client    any                closed
    /// deadline  not sent           notConnected
    /// deadline  sent, late         timedOut
    /// deadline  sent, not late     connectionLost
    /// lost      not sent           notConnected
    /// lost      sent               connectionLost
    /// ```
    /// `now` in loop time in milliseconds.
    func error(of cause: CloseCause, isSent: Bool, reason: String, now: Int64) -> RedisError {
        switch cause {
        case .client: .closed
        case .deadline where !isSent, .lost where !isSent: .notConnected(reason: reason)
        case .deadline: due <= now ? .timedOut : .connectionLost
        case .lost: .connectionLost
        }
    }
}

/// How long to wait before a stream is asked for again: the server's hint, doubled with each fruitless attempt.
struct ReconnectDelay {
    /// Failed attempts in a row after which the client stops.
    static let attemptsMax = 8
    private static let shortest = Duration.milliseconds(50)
    private static let longest = Duration.seconds(30)

    /// The server's hint, or what browsers take.
    private(set) var hint = Duration.seconds(2)
    private var attempts = 0

    /// Takes a hint of the server.
    mutating func take(hintMilliseconds: Int?) {
        guard let hintMilliseconds else { return }
        hint = min(max(.milliseconds(hintMilliseconds), Self.shortest), Self.longest)
    }

    /// Something new has come.
    mutating func reset() { attempts = 0 }

    /// The next delay, up to a quarter longer by chance so that clients do not come back all at once; nil when it is time
    /// to stop.
    mutating func next() -> Duration? {
        guard attempts < Self.attemptsMax else { return nil }
        let delay = min(hint * (1 << attempts), Self.longest)
        attempts += 1
        return delay + delay * Double.random(in: 0...0.25)
    }
}

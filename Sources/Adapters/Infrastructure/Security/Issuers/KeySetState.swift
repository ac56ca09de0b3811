/// What is known of an issuer's keys, and when they are fetched again.
///
/// ```
///  event                         keys            next background attempt
///  start                         none            at once
///  fetched                       the new ones    after 4 minutes
///  not fetched                   as before       after 15 seconds
///  24 hours without a success    none            as before
/// ```
/// A key that left the set is so refused at most 4 minutes and the time of one fetch later. An unknown `kid` causes an
/// attempt of its own if the last one began more than 10 seconds ago.
struct KeySetState {
    static let period = Duration.seconds(240)
    static let retryPeriod = Duration.seconds(15)
    /// Between two attempts that callers cause.
    static let attemptGap = Duration.seconds(10)
    /// How long keys are used without a successful attempt.
    static let lifetime = Duration.seconds(86_400)

    private var keys = KeySet.empty
    private var fetchedAt: Duration?
    private var attemptedAt: Duration?
    /// Whether the last attempt that ended was successful.
    private(set) var isPresent = false

    mutating func begin(at now: Duration) { attemptedAt = now }

    mutating func succeed(_ set: KeySet, at now: Duration) {
        keys = set
        fetchedAt = now
        isPresent = true
    }

    mutating func fail() { isPresent = false }

    /// The keys that may verify at this moment.
    func usable(at now: Duration) -> KeySet {
        guard let fetchedAt, now - fetchedAt < Self.lifetime else { return .empty }
        return keys
    }

    /// Whether a caller may cause an attempt at this moment.
    func mayAttempt(at now: Duration) -> Bool { attemptedAt.map { now - $0 >= Self.attemptGap } ?? true }

    /// The pause before the next background attempt.
    var pause: Duration { isPresent ? Self.period : Self.retryPeriod }
}

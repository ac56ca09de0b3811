/// How much Redis stores, and for how long.
package struct Retention: Sendable {
    /// Of a request's keys while it waits and runs.
    package var live: Duration
    /// Of a request's keys after its end, and of a conversation's keys once it is idle.
    package var afterEnd: Duration
    /// The newest turns of a conversation, at least 1.
    package var turns: Int
    /// Of each text of a turn, in UTF-8 bytes; a longer text is clipped, because it does not fit into a context.
    package var turnBytes = 40_000
    /// Of a client's `Idempotency-Key`.
    package var submissions = Duration.seconds(86_400)
    /// Dead letters of each kind in each partition; the oldest are dropped first.
    package var deadLetters = 10_000

    package init(live: Duration, afterEnd: Duration, turns: Int) {
        self.live = live
        self.afterEnd = afterEnd
        self.turns = turns
    }

    /// How long the deletion of a conversation is remembered: longer than any key of its requests lives.
    var deletions: Duration { max(.seconds(86_400), live + afterEnd) }
}

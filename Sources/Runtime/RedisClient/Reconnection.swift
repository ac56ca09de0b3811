internal import EventLoop
internal import Time

/// Who lives on a connection that is made anew whenever it breaks.
protocol ReconnectionOwner: AnyObject {
    /// Work on a fresh connection before it counts as one; when it throws, the connection is closed.
    func prepare(_ connection: RedisConnection) async throws(RedisError)
    func connectionIsUp(_ connection: RedisConnection)
    /// The connection that was up is closed; the next attempt follows.
    func connectionIsDown()
    /// An attempt failed; the next one follows.
    func connectionFailed(_ reason: String)
}

/// Keeps one connection alive: connects, waits for its end, pauses, connects again, until cancelled.
///
/// The pause is random between nothing and a bound that doubles with each failure in a row (exponential backoff with
/// full jitter), so that clients do not come back all at once.
struct Reconnection {
    /// A connection that lived this long was a good one; the next pause is a short one again.
    private static let stableAfterMilliseconds: Int64 = 1000

    let loop: Loop
    let configuration: RedisConfiguration
    let observer: (any RedisObserver)?

    func run(for owner: some ReconnectionOwner) async {
        var failures = 0
        var wasConnected = false
        while !Task.isCancelled {
            let startedAt = loop.nowMilliseconds
            do throws(RedisError) {
                let connection = try await open(for: owner)
                // From here to `connectionIsUp` nothing suspends, so the owner hears of every later end.
                guard !connection.isClosed else { throw .connectionLost }
                observer?.connected(again: wasConnected)
                wasConnected = true
                owner.connectionIsUp(connection)
                try? await connection.wire.closed.value()
                if loop.nowMilliseconds - startedAt > Self.stableAfterMilliseconds { failures = 0 }
                owner.connectionIsDown()
            } catch {
                report(error, to: owner)
            }
            do {
                try await loop.sleep(for: pause(after: failures))
            } catch {
                return
            }
            failures += 1
        }
    }

    private func open(for owner: some ReconnectionOwner) async throws(RedisError) -> RedisConnection {
        let connection = try await RedisConnection.open(configuration, on: loop, observer: observer)
        do throws(RedisError) {
            try await owner.prepare(connection)
            if Task.isCancelled { throw .cancelled }
            return connection
        } catch {
            connection.close()
            throw error
        }
    }

    private func report(_ error: RedisError, to owner: some ReconnectionOwner) {
        let reason: String
        switch error {
        case .cancelled, .closed: return
        case .notConnected(let why): reason = why
        case .server(let refusal): reason = refusal.message
        case .timedOut, .connectionLost, .overloaded: reason = "the connection broke while it was prepared"
        }
        observer?.connectionFailed(reason: reason)
        owner.connectionFailed(reason)
    }

    private func pause(after failures: Int) -> Duration {
        let bound = min(configuration.backoff.lowerBound * (1 << min(failures, 16)), configuration.backoff.upperBound)
        return .milliseconds(Int64.random(in: 0...max(1, bound.wholeMilliseconds)))
    }
}

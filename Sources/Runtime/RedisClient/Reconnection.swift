internal import EventLoop
internal import Time

/// The client that uses a connection which is reopened whenever it breaks.
protocol ReconnectionOwner: AnyObject {
    /// Prepares a new connection before it counts as one; when this throws, the connection is closed.
    func prepare(_ connection: RedisConnection) async throws(RedisError)
    func connectionIsUp(_ connection: RedisConnection)
    /// The connection that was up has closed; the next attempt follows.
    func connectionIsDown()
    /// An attempt failed; the next one follows.
    func connectionFailed(_ reason: String)
}

/// Maintains one connection: connects, waits until it closes, pauses, connects again, until cancelled.
///
/// The pause is random between zero and a bound that doubles with each consecutive failure (exponential backoff with full
/// jitter), so that clients do not reconnect all at once.
struct Reconnection {
    /// A connection that lived this long counts as a success and resets the backoff.
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
                // Nothing suspends from here to `connectionIsUp`, so the owner is notified of every later close.
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
        case .timedOut, .connectionLost, .overloaded: reason = "the connection broke during its preparation"
        }
        observer?.connectionFailed(reason: reason)
        owner.connectionFailed(reason)
    }

    private func pause(after failures: Int) -> Duration {
        let bound = min(configuration.backoff.lowerBound * (1 << min(failures, 16)), configuration.backoff.upperBound)
        return .milliseconds(Int64.random(in: 0...max(1, bound.wholeMilliseconds)))
    }
}

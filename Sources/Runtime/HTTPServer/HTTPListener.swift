package import EventLoop

/// A server: one listening socket and the connections it has dealt out to its loops.
///
/// Safe from any thread.
package final class HTTPListener: Sendable {
    /// The port in use, also when 0 was asked for.
    package let port: Int

    private let loops: [Loop]
    // Safety: each is made, used and released on its own loop's thread; the array itself never changes.
    private nonisolated(unsafe) let services: [HTTPService]
    // Safety: made and used on the first loop's thread only.
    private nonisolated(unsafe) let listener: TCPListener

    private init(port: Int, loops: [Loop], services: [HTTPService], listener: TCPListener) {
        self.port = port
        self.loops = loops
        self.services = services
        self.listener = listener
    }

    /// Binds, listens and accepts.
    ///
    /// `makeHandler` runs once on each loop and makes what answers there.
    ///
    /// Throws ``NetworkError``, such as `addressInUse`. Stop it with ``closeAll()`` before the loops end.
    package static func start(
        host: String,
        port: Int,
        on loops: [Loop],
        options: HTTPServerOptions = HTTPServerOptions(),
        metrics: (any HTTPServerMetrics)? = nil,
        makeHandler: @escaping @Sendable (Loop) -> any HTTPHandler
    ) async throws -> HTTPListener {
        precondition(!loops.isEmpty, "a server needs at least one loop")
        let bound = try await loops[0].run { loop in
            LoopOwned(value: try await TCPListener.listen(host: host, port: port, on: loop))
        }
        func share(_ number: Int) -> Int { (number + loops.count - 1) / loops.count }
        let limits = (connections: share(options.connectionsMax), refused: share(options.refusedConnectionsMax))
        var owned: [LoopOwned<HTTPService>] = []
        for loop in loops {
            owned.append(
                try await loop.run { loop in
                    let service = HTTPService(
                        on: loop,
                        options: options,
                        connectionsMax: limits.connections,
                        refusedMax: limits.refused,
                        handler: makeHandler(loop),
                        metrics: metrics,
                    )
                    return LoopOwned(value: service)
                }
            )
        }
        let services = owned
        return try await loops[0].run { _ in
            let server = HTTPListener(
                port: bound.value.port,
                loops: loops,
                services: services.map(\.value),
                listener: bound.value,
            )
            bound.value.start(on: loops, onExhausted: options.acceptingPaused) { stream in
                guard let index = loops.firstIndex(where: { $0 === stream.loop }) else { return stream.close() }
                services[index].value.accept(stream)
            }
            return server
        }
    }

    /// Closes the listening socket; what is connected stays, also what has not been accepted yet.
    package func stopAccepting() async throws {
        try await loops[0].run { _ in self.listener.finish() }
    }

    /// Connections open now, on all loops; those whose last bytes are still on their way count.
    package func connectionCount() async throws -> Int {
        var count = 0
        for (index, loop) in loops.enumerated() {
            count += try await loop.run { _ in self.services[index].connectionCount }
        }
        return count
    }

    /// Requests that handlers have not answered yet, on all loops.
    private func unansweredCount() async throws -> Int {
        var count = 0
        for (index, loop) in loops.enumerated() {
            count += try await loop.run { _ in self.services[index].unansweredCount }
        }
        return count
    }

    /// Closes the idle connections and lets the others finish their current answer, with `Connection: close`; returns
    /// when all are gone or after `limit`, with the number of those still open.
    ///
    /// While a handler has a request to answer, it returns after `answerLimit` only. A connection that has had no request
    /// yet stays open for a moment, so that its first one is answered. Streams end when their writers end them.
    package func drain(within limit: Duration, answersWithin answerLimit: Duration = .zero) async throws -> Int {
        for (index, loop) in loops.enumerated() {
            try await loop.run { _ in self.services[index].drain() }
        }
        let (end, answerEnd) = (ContinuousClock.now + limit, ContinuousClock.now + answerLimit)
        while true {
            let count = try await connectionCount()
            if count == 0 { return 0 }
            if ContinuousClock.now >= end {
                let isAnswering = ContinuousClock.now < answerEnd ? try await unansweredCount() > 0 : false
                if !isAnswering { return count }
            }
            try await loops[0].run { loop in try await loop.sleep(for: .milliseconds(20)) }
        }
    }

    /// Closes the listening socket and every connection, whatever it is doing, and the timers.
    ///
    /// Idempotent.
    package func closeAll() async throws {
        try await stopAccepting()
        for (index, loop) in loops.enumerated() {
            try await loop.run { _ in self.services[index].closeAll() }
        }
    }
}

/// Carries an object that belongs to a loop through code that does not run there.
///
/// Safety: `@unchecked Sendable` because only the reference travels; the value is touched on its loop's thread.
private struct LoopOwned<Value>: @unchecked Sendable {
    let value: Value
}

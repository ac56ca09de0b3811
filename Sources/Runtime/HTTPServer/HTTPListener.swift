package import EventLoop

/// A server: one listening socket, and the connections that it distributes over its loops.
///
/// Safe from any thread.
package final class HTTPListener: Sendable {
    private static let drainPollPeriod = Duration.milliseconds(20)

    /// The port in use, also when 0 was asked for.
    package let port: Int

    private let services: [LoopBound<HTTPService>]
    private let listener: LoopBound<TCPListener>

    private init(port: Int, services: [LoopBound<HTTPService>], listener: LoopBound<TCPListener>) {
        self.port = port
        self.services = services
        self.listener = listener
    }

    /// Binds, listens and accepts.
    ///
    /// `makeHandler` runs once on each loop, and makes the handler of that loop's requests.
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
        let listener = try await loops[0].run { loop in
            LoopBound(try await TCPListener.listen(host: host, port: port, on: loop), of: loop)
        }
        let addresses = options.addressConnectionsMax.map {
            AddressConnections(connectionsMax: $0, isExempt: options.isExemptFromAddressLimit)
        }
        func share(_ number: Int) -> Int { (number + loops.count - 1) / loops.count }
        let limits = (connections: share(options.connectionsMax), refused: share(options.refusedConnectionsMax))
        var made: [LoopBound<HTTPService>] = []
        for loop in loops {
            made.append(
                try await loop.run { loop in
                    let service = HTTPService(
                        on: loop,
                        options: options,
                        connectionsMax: limits.connections,
                        refusedMax: limits.refused,
                        addresses: addresses,
                        handler: makeHandler(loop),
                        metrics: metrics,
                    )
                    return LoopBound(service, of: loop)
                }
            )
        }
        let services = made
        return try await loops[0].run { _ in
            listener.onLoop.start(on: loops, onExhausted: options.acceptingPaused) { stream in
                guard let service = services.first(where: { $0.loop === stream.loop }) else { return stream.close() }
                service.onLoop.accept(stream)
            }
            return HTTPListener(port: listener.onLoop.port, services: services, listener: listener)
        }
    }

    /// Closes the listening socket; connections stay open, those that the kernel has not passed on yet included.
    package func stopAccepting() async throws {
        try await listener.loop.run { [listener] _ in listener.onLoop.finish() }
    }

    /// Connections open now, on all loops; those whose last bytes are still being sent and upgraded ones included.
    package func connectionCount() async throws -> Int {
        try await sum(0, { $0.connectionCount }, +=)
    }

    /// What the server has under way for its clients, on all loops.
    package func inFlight() async throws -> HTTPInFlight {
        try await sum(HTTPInFlight(), { $0.inFlight }, +=)
    }

    private func sum<Value: Sendable>(
        _ zero: Value,
        _ value: @escaping @Sendable (HTTPService) -> Value,
        _ add: (inout Value, Value) -> Void
    ) async throws -> Value {
        var sum = zero
        for service in services { add(&sum, try await service.loop.run { _ in value(service.onLoop) }) }
        return sum
    }

    /// Closes the idle connections and lets the others finish their current response, with `Connection: close`; returns
    /// when all are closed or after `limit`, with the number of those still open.
    ///
    /// While a handler has a request to answer, it returns only after `answerLimit`. A connection without a request so far
    /// stays open for ``HTTPServerOptions/firstRequestGrace``, so that its first request is answered. Streams end when
    /// their writers end them, upgraded connections when their owners, which are notified, close them.
    package func drain(within limit: Duration, answersWithin answerLimit: Duration = .zero) async throws -> Int {
        for service in services { try await service.loop.run { _ in service.onLoop.drain() } }
        let (end, answerEnd) = (ContinuousClock.now + limit, ContinuousClock.now + answerLimit)
        while true {
            let count = try await connectionCount()
            if count == 0 { return 0 }
            if ContinuousClock.now >= end {
                let isAnswering = ContinuousClock.now < answerEnd ? try await inFlight().requests > 0 : false
                if !isAnswering { return count }
            }
            try await listener.loop.run { loop in try await loop.sleep(for: Self.drainPollPeriod) }
        }
    }

    /// Closes the listening socket, every connection in whatever state, and the timers.
    ///
    /// Idempotent.
    package func closeAll() async throws {
        try await stopAccepting()
        for service in services { try await service.loop.run { _ in service.onLoop.closeAll() } }
    }
}

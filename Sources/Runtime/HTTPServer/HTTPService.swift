internal import EventLoop
internal import Time

/// The connections of one server on one loop, and what they share.
///
/// Loop-owned.
final class HTTPService {
    /// Parsers kept for the next request.
    private static let sparesMax = 16

    let options: HTTPServerOptions
    let handler: any HTTPHandler
    let metrics: (any HTTPServerMetrics)?

    private let loop: Loop
    private var date = DateField()
    private let connectionsMax: Int
    private let refusedMax: Int
    /// Nil without a limit; shared by the server's loops.
    private let addresses: AddressConnections?
    /// ``HTTPServerOptions/responseFields`` as they are sent.
    private let responseFields: [UInt8]
    private var isDraining = false
    private var connections: [HTTPConnection] = []
    private var refused: [ObjectIdentifier: RefusedConnection] = [:]
    private var spareParsers: [RequestParser] = []
    private var sweep: LoopTimer?

    init(
        on loop: Loop,
        options: HTTPServerOptions,
        connectionsMax: Int,
        refusedMax: Int,
        addresses: AddressConnections?,
        handler: any HTTPHandler,
        metrics: (any HTTPServerMetrics)?
    ) {
        self.loop = loop
        self.options = options
        self.connectionsMax = connectionsMax
        self.refusedMax = refusedMax
        self.addresses = addresses
        var fields: [UInt8] = []
        fields.append(options.responseFields)
        responseFields = fields
        self.handler = handler
        self.metrics = metrics
        sweep = loop.schedule(every: options.sweepPeriod) { [weak self] in self?.sweepConnections() }
    }

    /// Upgraded connections included, connections above the limit not.
    var connectionCount: Int { connections.count }

    var inFlight: HTTPInFlight {
        connections.reduce(into: HTTPInFlight()) { $0.count($1.state.phase) }
    }

    var nowMilliseconds: Int64 { loop.nowMilliseconds }

    func accept(_ stream: ByteStream) {
        guard !isDraining else { return stream.close() }
        guard connections.count < connectionsMax else { return refuse(stream, .connections) }
        var place = AddressConnections.Place.uncounted
        if let addresses {
            guard let counted = addresses.open(stream.peerAddress) else { return refuse(stream, .addressConnections) }
            place = counted
        }
        let connection = HTTPConnection(stream: stream, service: self, slot: connections.count, place: place)
        connections.append(connection)
        metrics?.connectionOpened()
        start(stream, connection)
    }

    private func start(_ stream: ByteStream, _ delegate: any ByteStreamDelegate) {
        stream.delegate = delegate
        if let makeFilter = options.makeFilter {
            guard let filter = try? makeFilter() else { return stream.close() }
            stream.install(filter)
        }
        stream.startReading()
    }

    /// Has a connection above the limit answered, or closes it at once above the limit of those.
    private func refuse(_ stream: ByteStream, _ limit: ConnectionLimit) {
        metrics?.connectionEnded(by: limit)
        guard refused.count < refusedMax else { return stream.close() }
        let connection = RefusedConnection(stream: stream, service: self, limit)
        refused[ObjectIdentifier(connection)] = connection
        start(stream, connection)
    }

    /// Called by a refused connection that has closed.
    func remove(_ connection: RefusedConnection) { refused[ObjectIdentifier(connection)] = nil }

    /// Called by a connection that has closed.
    func remove(_ connection: HTTPConnection) {
        let last = connections.removeLast()
        if last !== connection {
            connections[connection.slot] = last
            last.slot = connection.slot
        }
        addresses?.close(connection.place)
        metrics?.connectionClosed()
    }

    // MARK: What connections share

    func takeParser() -> RequestParser { spareParsers.popLast() ?? RequestParser(options: options) }

    func recycle(_ parser: RequestParser) {
        parser.reset()
        if spareParsers.count < Self.sparesMax { spareParsers.append(parser) }
    }

    func errorResponse(_ status: Int, _ detail: String, _ request: RefusedRequest) -> HTTPResponse {
        options.renderError(status, detail, request)
    }

    /// Writes a whole response.
    func write(_ response: HTTPResponse, to stream: ByteStream, isHead: Bool, keepsAlive: Bool) {
        let hasBody = response.status != 204 && response.status != 304
        let framing = hasBody ? BodyFraming.length(response.body.count) : .none
        writeHead(response.status, response.headers, framing, keepsAlive: keepsAlive, to: stream)
        guard hasBody, !isHead else { return }
        stream.write { $0.append(contentsOf: response.body) }
    }

    /// Writes status line and header section.
    func writeHead(
        _ status: Int,
        _ headers: HTTPFields,
        _ framing: BodyFraming,
        keepsAlive: Bool,
        to stream: ByteStream
    ) {
        let date = date.now()
        stream.write { output in
            output.appendHead(
                status: status,
                headers: headers,
                common: responseFields,
                framing: framing,
                keepsAlive: keepsAlive,
                date: date,
            )
        }
    }

    /// The loop's time, in milliseconds, at which a limit ends that begins now.
    func deadline(after timeout: Duration) -> Int64 {
        nowMilliseconds + timeout.wholeMilliseconds
    }

    private func sweepConnections() {
        let now = nowMilliseconds
        // Backwards, because a connection that closes gives its slot to the last one.
        for slot in connections.indices.reversed() where slot < connections.count {
            connections[slot].sweep(now: now)
        }
    }

    // MARK: Ending

    /// Closes idle connections and notifies the owners of upgraded ones; the others close behind their current response,
    /// unused ones behind their first.
    func drain() {
        isDraining = true
        for connection in connections { connection.drain() }
    }

    func closeAll() {
        isDraining = true
        for connection in connections { connection.stream.close() }
        for connection in refused.values { connection.stream.close() }
        sweep?.close()
        sweep = nil
    }
}

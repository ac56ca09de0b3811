internal import EventLoop

/// One HTTP/1.1 connection of a simulated student: one exchange at a time, the body handed over as it arrives.
final class StudentConnection: ByteStreamDelegate {
    /// Takes what it understands off the front of the body received so far.
    typealias BodyReader = (_ status: Int, _ isEventStream: Bool, _ body: inout [UInt8]) -> Void

    private let stream: ByteStream
    private let loop: Loop
    private var exchange: Exchange?

    private final class Exchange {
        var parser = ResponseParser()
        var body: [UInt8] = []
        let read: BodyReader
        let end: OneShot<BenchFailure?>

        init(on loop: Loop, _ read: @escaping BodyReader) {
            self.read = read
            end = OneShot(loop: loop)
        }
    }

    static func open(to host: String, port: Int, on loop: Loop) async throws(BenchFailure) -> StudentConnection {
        do {
            let stream = try await ByteStream.connect(to: .tcp(host: host, port: port), on: loop, within: .seconds(10))
            return StudentConnection(stream, on: loop)
        } catch {
            throw .connecting
        }
    }

    private init(_ stream: ByteStream, on loop: Loop) {
        self.stream = stream
        self.loop = loop
        stream.delegate = self
        stream.startReading()
    }

    /// Closed by either side, or closing after the last answer.
    private(set) var isUsable = true

    /// Sends one request; returns when its response has ended.
    func exchange(_ request: [UInt8], _ read: @escaping BodyReader) async throws(BenchFailure) {
        guard isUsable else { throw .connectionLost }
        let exchange = Exchange(on: loop, read)
        self.exchange = exchange
        stream.write(request)
        let failure: BenchFailure?
        do {
            failure = try await exchange.end.value()
        } catch {
            failure = .connectionLost
        }
        self.exchange = nil
        if failure != nil || !exchange.parser.keepsAlive { close() }
        if let failure { throw failure }
    }

    func close() {
        isUsable = false
        stream.close()
    }

    func streamDidRead(_ bytes: Span<UInt8>) {
        guard let exchange, exchange.parser.consume(bytes, into: &exchange.body) else {
            exchange?.end.succeed(.malformedResponse)
            return
        }
        if exchange.parser.status > 0 {
            exchange.read(exchange.parser.status, exchange.parser.isEventStream, &exchange.body)
        }
        if exchange.parser.isComplete { exchange.end.succeed(nil) }
    }

    func streamDidReachEnd() {
        isUsable = false
        if let exchange { exchange.end.succeed(exchange.parser.reachEnd() ? nil : .connectionLost) }
        stream.close()
    }

    func streamDidDrain() {}

    func streamDidClose(_ failure: StreamFailure?) {
        isUsable = false
        exchange?.end.succeed(.connectionLost)
    }
}

import EventLoop
import HTTPServer
import Synchronization
import TestSupport

/// Runs `body` with a server on a free port; `body` has a thread of its own and may block it.
func withServer<Result: Sendable>(
    loops count: Int = 1,
    _ adjust: (inout HTTPServerOptions) -> Void = { _ in },
    metrics: (any HTTPServerMetrics)? = nil,
    _ body: @escaping @Sendable (TestServer) async throws -> Result
) async throws -> Result {
    let group = LoopGroup(count: count)
    defer { group.stop() }
    var options = HTTPServerOptions()
    options.sweepPeriod = .milliseconds(20)
    adjust(&options)
    let record = Record()
    let listener = try await HTTPListener.start(
        host: "127.0.0.1",
        port: 0,
        on: group.loops,
        options: options,
        metrics: metrics,
    ) { loop in Routes(loop: loop, record: record) }
    let server = TestServer(listener: listener, record: record)
    let result = try await onThread { try await body(server) }
    try await listener.closeAll()
    return result
}

struct TestServer: Sendable {
    let listener: HTTPListener
    let record: Record

    func client(receiveBufferBytes: Int32? = nil) throws -> RawClient {
        try RawClient(port: listener.port, receiveBufferBytes: receiveBufferBytes)
    }

    /// Sends `request` on a connection of its own; returns everything received until the server closes.
    func exchange(_ request: String, within limit: Duration = .seconds(10)) throws -> String {
        let client = try client()
        client.send(request)
        return try client.readToEnd(within: limit)
    }

    /// Waits until no connection is open.
    func waitUntilEmpty(within limit: Duration = .seconds(5)) async throws -> Bool {
        try await eventually(within: limit) { try await listener.connectionCount() == 0 }
    }
}

extension RawSender {
    /// Sends the same bytes many times on a thread of its own.
    func send(_ bytes: [UInt8], times: Int) -> Task<Void, any Error> {
        Task { try await onThread { for _ in 0..<times { send(bytes) } } }
    }
}

/// What the routes observed; safe from any thread.
final class Record: Sendable {
    private let entries = Mutex<[String]>([])

    func note(_ entry: String) { entries.withLock { $0.append(entry) } }

    var all: [String] { entries.withLock { $0 } }

    func contains(_ entry: String) -> Bool { all.contains(entry) }
}

/// The application of the tests: each route uses one capability of a handler.
final class Routes: HTTPHandler {
    private let loop: Loop
    private let record: Record

    init(loop: Loop, record: Record) {
        self.loop = loop
        self.record = record
    }

    func handle(_ request: HTTPRequest, _ exchange: HTTPExchange) {
        record.note("\(request.method.name) \(request.path)")
        switch request.path {
        case "/hello":
            exchange.note(RequestNote(route: "greeting"))
            exchange.respond(text("hello"))
        case "/echo": exchange.respond(HTTPResponse(status: 200, body: request.body))
        case "/show": exchange.respond(text(description(of: request)))
        case "/empty": exchange.respond(HTTPResponse(status: 204))
        case "/later": respondLater(request, exchange)
        case "/held": respondOnRelease(exchange)
        case "/never": waitForClose(exchange)
        case "/forget": return
        case "/large": exchange.respond(HTTPResponse(status: 200, body: [UInt8](repeating: 0x61, count: 8_000_000)))
        case "/inject": exchange.respond(HTTPResponse(status: 200, headers: ["X-Value": "a\r\nSet-Cookie: b\u{0}"]))
        case "/stream": stream(request, exchange)
        case "/flood": flood(exchange)
        case "/limit": exchange.respond(HTTPResponse(status: 200, body: request.body))
        case "/upgrade": upgrade(request, exchange)
        case "/upgrade-later": upgradeLater(request, exchange)
        default: exchange.respond(HTTPResponse(status: 404))
        }
    }

    func refusal(beforeBodyOf head: HTTPRequest) -> HTTPResponse? {
        head.path == "/refuse" ? HTTPResponse(status: 403, body: Array("no".utf8)) : nil
    }

    func bodyBytesMax(of head: HTTPRequest) -> Int? {
        head.path == "/limit" ? head.query["max"].flatMap { Int($0) } : nil
    }

    private func text(_ text: String) -> HTTPResponse {
        HTTPResponse(status: 200, headers: ["Content-Type": "text/plain"], body: Array(text.utf8))
    }

    private func description(of request: HTTPRequest) -> String {
        let headers = request.headers.all.map { "\($0.name)=\($0.value)" }.joined(separator: "|")
        let body = String(decoding: request.body, as: UTF8.self)
        return "\(request.method.name) \(request.target) \(request.version) [\(headers)] \(request.peerAddress) \(body)"
            + " q=\(request.query["q"] ?? "nil") x=\(request.headers["X-Multi"] ?? "nil")"
    }

    private func respondLater(_ request: HTTPRequest, _ exchange: HTTPExchange) {
        let loop = loop
        let milliseconds = Int(request.query["ms"] ?? "") ?? 20
        let task = loop.spawn {
            // A slow application.
            try? await loop.sleep(for: .milliseconds(milliseconds))
            exchange.respond(HTTPResponse(status: 200, body: Array((request.query["q"] ?? "later").utf8)))
        }
        exchange.onClose { task.cancel() }
    }

    /// Answers once the test has noted `release`.
    private func respondOnRelease(_ exchange: HTTPExchange) {
        let (loop, record) = (loop, record)
        loop.spawn {
            while !record.contains("release"), exchange.isOpen { try? await loop.sleep(for: .milliseconds(5)) }
            exchange.respond(HTTPResponse(status: 200, body: Array("held".utf8)))
        }
    }

    private func waitForClose(_ exchange: HTTPExchange) {
        let record = record
        exchange.onClose {
            record.note("closed, open: \(exchange.isOpen)")
            exchange.respond(HTTPResponse(status: 200))
        }
    }

    /// `n` frames, `every` milliseconds (0: all in one turn), then the end unless `open`.
    private func stream(_ request: HTTPRequest, _ exchange: HTTPExchange) {
        let frames = Int(request.query["n"] ?? "") ?? 3
        let pause = Int(request.query["every"] ?? "") ?? 0
        let watcher = StreamWatcher(record: record)
        let stream = exchange.startStream(
            status: 200,
            headers: ["Content-Type": "text/event-stream"],
            delegate: watcher
        )
        let loop = loop
        let keepsOpen = request.query["open"] != nil
        loop.spawn {
            for frame in 0..<frames where !stream.isClosed {
                if pause > 0 { try? await loop.sleep(for: .milliseconds(pause)) }
                stream.write { $0.append(contentsOf: "data: \(frame)\n\n".utf8) }
                stream.write { _ in }
            }
            if !keepsOpen { stream.end() }
        }
    }

    /// Switches to ``EchoProtocol``.
    private func upgrade(_ request: HTTPRequest, _ exchange: HTTPExchange) {
        guard let upgrade = request.upgrade(to: "echo") else { return exchange.respond(HTTPResponse(status: 426)) }
        let record = record
        exchange.upgrade(upgrade, headers: ["X-Echo": "yes"]) { stream in
            EchoProtocol(stream, record, request.query)
        }
    }

    private func upgradeLater(_ request: HTTPRequest, _ exchange: HTTPExchange) {
        let loop = loop
        loop.spawn {
            // A slow application.
            try? await loop.sleep(for: .milliseconds(50))
            self.upgrade(request, exchange)
        }
    }

    private func flood(_ exchange: HTTPExchange) {
        let watcher = StreamWatcher(record: record)
        let stream = exchange.startStream(status: 200, headers: [:], delegate: watcher)
        stream.write { $0.append(contentsOf: [UInt8](repeating: 0x62, count: 8_000_000)) }
    }
}

final class StreamWatcher: HTTPResponseStreamDelegate {
    private let record: Record

    init(record: Record) { self.record = record }

    func responseStreamDidDrain(_ stream: HTTPResponseStream) {
        record.note("drained, pending: \(stream.pendingBytes)")
        stream.end()
    }

    func responseStreamDidClose(_ stream: HTTPResponseStream, because loss: StreamLoss) {
        record.note("stream closed: \(loss)")
    }
}

internal import EventLoop
internal import FoundationEssentials
internal import Shared

/// A simulated student: submits a problem, watches its stream to the end, and starts over.
///
/// Loop-owned.
final class Student {
    private let options: BenchOptions
    private let loop: Loop
    private let measurements: Measurements
    private var connection: StudentConnection?
    private var problems = 0

    /// What is known of the request being watched.
    private struct Watch {
        var submitted: Int64
        var last = EventID(attempt: 0, sequence: 0)
        var hasToken = false
        var end: String?
        var failure: BenchFailure?
    }

    private var watch = Watch(submitted: 0)

    private struct Accepted: Decodable {
        let streamUrl: String
    }

    init(_ options: BenchOptions, on loop: Loop, _ measurements: Measurements) {
        self.options = options
        self.loop = loop
        self.measurements = measurements
    }

    /// Solves one problem from submission to the terminal event.
    ///
    /// Failures are counted, not thrown; the pause after one
    /// keeps a system that refuses everything from being flooded.
    func solve() async throws(CancellationError) {
        do {
            try await attempt()
            measurements.takeCompletion()
        } catch {
            if Task.isCancelled { throw CancellationError() }
            measurements.takeFailure(error)
            try await loop.sleep(for: .milliseconds(250))
        }
    }

    private func attempt() async throws(BenchFailure) {
        watch = Watch(submitted: 0)
        if options.streamsFromPost {
            try await submit(accepting: "text/event-stream")
        } else {
            try await follow(submit(accepting: "application/json"))
        }
        if let failure = watch.failure { throw failure }
        guard let end = watch.end else { throw .connectionLost }
        guard end == "completed" else { throw .ended(end) }
    }

    func close() { connection?.close() }

    /// Posts a problem; returns the `streamUrl`, or nothing when the response was the stream itself.
    @discardableResult
    private func submit(accepting type: String) async throws(BenchFailure) -> String {
        problems += 1
        let body = #"{"problem":"\#(problems) + \#(problems)"}"#
        let request =
            head("POST", "/api/math/solve", accepting: type) + """
                Content-Type: application/json\r
                Content-Length: \(body.utf8.count)\r
                \r
                \(body)
                """
        let connection = try await usableConnection()
        watch.submitted = Measurements.now()
        var answer: [UInt8] = []
        var code = 0
        try await connection.exchange(Array(request.utf8)) { [self] status, isEventStream, body in
            code = status
            if isEventStream { read(&body) } else { answer = body }
        }
        guard code == 202 || code == 200 else { throw .status(code) }
        if options.streamsFromPost { return "" }
        guard let accepted = try? JSONDecoder().decode(Accepted.self, from: Data(answer)) else {
            throw .malformedResponse
        }
        return accepted.streamUrl
    }

    private func follow(_ path: String) async throws(BenchFailure) {
        let request = head("GET", path, accepting: "text/event-stream") + "\r\n"
        let connection = try await usableConnection()
        var code = 0
        try await connection.exchange(Array(request.utf8)) { [self] status, _, body in
            code = status
            if status == 200 { read(&body) }
        }
        guard code == 200 else { throw .status(code) }
    }

    private func head(_ method: String, _ path: String, accepting type: String) -> String {
        let authorization = options.accessToken.map { "Authorization: Bearer \($0)\r\n" } ?? ""
        return
            "\(method) \(path) HTTP/1.1\r\nHost: \(options.host):\(options.port)\r\nAccept: \(type)\r\n\(authorization)"
    }

    private func usableConnection() async throws(BenchFailure) -> StudentConnection {
        if let connection, connection.isUsable { return connection }
        let connection = try await StudentConnection.open(to: options.host, port: options.port, on: loop)
        self.connection = connection
        return connection
    }

    private func read(_ body: inout [UInt8]) {
        let arrival = Measurements.now()
        StreamedEvent.takeAll(from: &body) { take($0, arrival: arrival) }
    }

    private func take(_ event: StreamedEvent, arrival: Int64) {
        if let id = event.id {
            if !id.follows(watch.last) { watch.failure = .misordered }
            watch.last = id
        }
        switch event.name {
        case "token":
            if !watch.hasToken { measurements.takeFirstToken(after: arrival - watch.submitted) }
            watch.hasToken = true
            measurements.takeToken(event, arrival: arrival)
        case "completed", "failed", "cancelled": watch.end = event.name
        case _: break
        }
    }
}

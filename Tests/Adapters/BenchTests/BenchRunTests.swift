import EventLoop
import TestSupport
import Testing
import Text

@testable import Bench

/// Answers every request with the same bytes, on a loop of its own.
private struct CannedServer {
    let group = LoopGroup(count: 1)
    let port: Int

    init(answering answer: @escaping @Sendable (_ request: String) -> String) async throws {
        let loop = group.nextLoop()
        port = try await loop.run { loop in
            let listener = try await TCPListener.listen(host: "127.0.0.1", port: 0, on: loop)
            listener.start(on: [loop]) { stream in
                stream.delegate = Answering(stream, answer)
                stream.startReading()
            }
            return listener.port
        }
    }

    private final class Answering: ByteStreamDelegate {
        private let stream: ByteStream
        private let answer: (String) -> String

        init(_ stream: ByteStream, _ answer: @escaping (String) -> String) {
            self.stream = stream
            self.answer = answer
        }

        func streamDidRead(_ bytes: Span<UInt8>) {
            stream.write(Array(answer(String(repairing: bytes)).utf8))
        }

        func streamDidReachEnd() { stream.close() }
        func streamDidDrain() {}
        func streamDidClose(_ failure: StreamFailure?) {}
    }
}

private func sized(_ status: String, _ type: String, _ body: String) -> String {
    "HTTP/1.1 \(status)\r\nContent-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
}

private func events(_ ids: [String], end: String) -> String {
    var text = "retry: 2000\nid: 0-1\nevent: queued\ndata: {}\n\nid: 1-0\nevent: started\ndata: {}\n\n"
    for id in ids { text += "id: \(id)\nevent: token\ndata: {\"text\":\"\(Measurements.now()) \"}\n\n" }
    return sized("200 OK", "text/event-stream", text + "id: 1-\(ids.count + 1)\nevent: \(end)\ndata: {}\n\n")
}

@Suite("A run of the load generator", .tags(.integration), .timeLimit(.minutes(1)))
struct BenchRunTests {
    private func report(
        streamsFromPost: Bool = false,
        _ stream: @escaping @Sendable () -> String
    ) async throws -> BenchReport {
        let server = try await CannedServer { request in
            if request.hasPrefix("POST"), request.contains("Accept: application/json") {
                return sized("202 Accepted", "application/json", #"{"streamUrl":"\/api\/math\/stream\/x?ticket=t"}"#)
            }
            let isExpected = request.hasPrefix("GET /api/math/stream/x?ticket=t HTTP/1.1") || streamsFromPost
            return isExpected ? stream() : sized("404 Not Found", "text/plain", "")
        }
        defer { server.group.stop() }
        var options = BenchOptions()
        options.port = server.port
        options.streams = 3
        options.requests = 20
        options.warmUp = .milliseconds(10)
        options.duration = .milliseconds(800)
        options.streamsFromPost = streamsFromPost
        return try await BenchRun.report(options)
    }

    @Test("Requests, tokens and latencies are counted", arguments: [false, true])
    func counts(streamsFromPost: Bool) async throws {
        let report = try await report(streamsFromPost: streamsFromPost) {
            events(["1-1", "1-2"], end: "completed")
        }
        #expect(report.failures == [:])
        #expect(report.completed >= 20)
        #expect(report.tokens >= 2 * report.completed)
        #expect(report.firstToken != nil && report.providerToClient != nil)
    }

    @Test("An event out of order, a failed request and a refusal are failures")
    func failures() async throws {
        let gap = try await report { events(["1-1", "1-3"], end: "completed") }
        #expect(gap.failures.keys.contains(.misordered) && gap.completed == 0)
        let failed = try await report { events(["1-1"], end: "failed") }
        #expect(failed.failures.keys.contains(.ended("failed")))
        let refused = try await report { sized("503 Service Unavailable", "text/plain", "no") }
        #expect(refused.failures.keys.contains(.status(503)))
    }
}

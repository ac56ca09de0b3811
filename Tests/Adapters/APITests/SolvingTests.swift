import API
import Domain
import FoundationEssentials
import HTTPServer
import Infrastructure
import Problems
import Shared
import TestSupport
import Testing

@Suite("Solving over HTTP", .tags(.integration))
struct SolvingTests {
    private struct Accepted: Decodable {
        let correlationId: String
        let conversationId: String
        let status: String
        let streamUrl: String
        let createdAt: String
    }

    private struct Document: Decodable {
        let correlationId: String
        let status: String
        let problem: String
        let answer: String?
        let finishReason: String?
        let provider: String?
        let attempts: Int
        let startedAt: String?
        let finishedAt: String?
    }

    private func decode<Value: Decodable>(_ response: RawResponse, as _: Value.Type = Value.self) throws -> Value {
        try JSONDecoder().decode(Value.self, from: Data(response.body.utf8))
    }

    private var withWorker: APIOptions {
        var options = APIOptions()
        options.hasWorker = true
        return options
    }

    @Test("a stream that begins while the replica ends its streams ends at once with a retry hint")
    func beginsWhileStreamsEnd() async throws {
        try await withAPI { api in
            let id = try api.accepted()
            try await api.endStreams()
            let (head, frames) = try api.stream("/api/math/stream/\(id)")
            #expect(head.status == 200)
            #expect(frames.count == 2)
            #expect(frames.first == "retry: 2000")
            let retry = frames.last?.split(separator: " ").last.flatMap { Int($0) }
            #expect((100...1500).contains(retry ?? 0))
        }
    }

    @Test("a problem is accepted, streamed to its end, and read afterwards")
    func whole() async throws {
        try await withAPI(withWorker) { api in
            let response = try api.solve(#"{"problem":" two  words "}"#, ["X-Request-ID: mine"])
            #expect(response.status == 202)
            let accepted: Accepted = try decode(response)
            let id = accepted.correlationId
            #expect(response["location"] == "/api/math/requests/\(id)")
            #expect(response["x-correlation-id"] == id)
            #expect(response["content-type"] == "application/json")
            #expect(response["x-request-id"] == "mine")
            #expect(accepted.status == "queued")
            #expect(ConversationID(accepted.conversationId) != nil)
            #expect(accepted.streamUrl.hasPrefix("/api/math/stream/\(id)?ticket="))
            #expect(accepted.createdAt.count == 24 && accepted.createdAt.hasSuffix("Z"))

            let (head, frames) = try api.stream(accepted.streamUrl, ["Accept-Encoding: gzip, br"])
            #expect(head.status == 200)
            #expect(head["content-type"] == "text/event-stream")
            #expect(head["cache-control"] == "no-cache, no-transform")
            #expect(head["x-accel-buffering"] == "no")
            #expect(head["content-encoding"] == nil)
            #expect(head["x-correlation-id"] == id)
            #expect(frames.first == "retry: 2000")
            #expect(frames[1].hasPrefix("id: 0-1\nevent: queued\ndata: {\"correlationId\":\"\(id)\""))
            #expect(frames[2].hasPrefix("id: 1-0\nevent: started\ndata: {\"attempt\":1,\"provider\":\"mock\""))
            #expect(frames.last?.contains("event: completed\ndata: {\"finishReason\":\"stop\"") == true)

            let read = try api.send("GET", "/api/math/requests/\(id)")
            #expect(read.status == 200 && read["x-correlation-id"] == id)
            #expect(read["cache-control"] == "no-store")
            let document: Document = try decode(read)
            #expect(document.status == "completed" && document.finishReason == "stop" && document.attempts == 1)
            #expect(document.problem == "two  words" && document.answer == "two words ")
            #expect(document.startedAt != nil && document.finishedAt != nil && document.provider == "mock")
            let deleted = try api.send("DELETE", "/api/math/requests/\(id)")
            #expect(deleted.status == 200)
            #expect(try decode(deleted, as: Document.self).status == "completed")
        }
    }

    @Test("every cut of a stream can be resumed, and the last id gets no content")
    func resuming() async throws {
        try await withAPI(withWorker) { api in
            let id = try api.accepted("a b c")
            let path = "/api/math/stream/\(id)"
            let all = try api.stream(path).frames.dropFirst()
            let ids = all.compactMap { $0.split(separator: "\n").first?.dropFirst(4) }
            #expect(ids.count == all.count)
            for (index, cursor) in ids.enumerated() {
                let headers = ["Last-Event-ID: \(cursor)"]
                if cursor == ids.last {
                    let response = try api.send("GET", path, headers)
                    #expect(response.status == 204 && response.body.isEmpty)
                } else {
                    let rest = try api.stream(path, headers).frames.dropFirst()
                    #expect(Array(rest) == Array(all.dropFirst(index + 1)), "after \(cursor)")
                }
            }
            let beyond = try api.stream(path, ["Last-Event-ID: 7-7"]).frames
            #expect(beyond[1] == "event: reset\ndata: {\"reason\":\"history_lost\"}")
            #expect(Array(beyond.dropFirst(2)) == Array(all))
        }
    }

    @Test("the answer to the POST can be the stream itself")
    func streamed() async throws {
        try await withAPI(withWorker) { api in
            let response = try api.solve(#"{"problem":"x y"}"#, ["Accept: text/event-stream"])
            #expect(response.status == 200)
            #expect(response["content-type"] == "text/event-stream")
            let id = try #require(response["x-correlation-id"])
            #expect(response["location"] == "/api/math/requests/\(id)")
            #expect(response.body.hasPrefix("retry: 2000\nid: 0-1\nevent: queued\n"))
            #expect(response.body.hasSuffix("\n\n"))
            #expect(response.body.contains("event: completed\n"))
            let refused = try api.solve(#"{"problem":""}"#, ["Accept: text/event-stream"])
            #expect(refused.status == 422)
        }
    }

    @Test("a stream that answers the POST begins with what the submission returned, without another read")
    func streamedAtOnce() async throws {
        try await withAPI { api in
            _ = try api.accepted()
            let ask = { LoopbackSocket.ask(port: api.redis.port, $0 + "\r\n") ?? "" }
            let calls = { (command: String, statistics: String) in
                let parts = statistics.split(separator: "cmdstat_\(command):calls=")
                return parts.count < 2 ? 0 : Int(parts[1].prefix { $0.isNumber }) ?? -1
            }
            #expect(ask("CONFIG RESETSTAT").hasPrefix("+OK"))
            let headers = ["Content-Type: application/json", "Accept: text/event-stream"]
            let client = try api.client("POST", "/api/math/solve", headers, body: #"{"problem":"2+2"}"#)
            let begin = try client.read(through: "\"position\":2}\n\n")
            #expect(begin.contains("retry: 2000\nid: 0-1\nevent: queued\ndata: {\"correlationId\":\""))
            #expect(
                try await eventually { calls("xrange", ask("INFO commandstats")) == 1 },
                "one read, behind the subscription"
            )
            let statistics = ask("INFO commandstats")
            // The submission and each periodic read of the queue read the group once; no other function is called.
            #expect(calls("fcall", statistics) == calls("xinfo|groups", statistics))
            for (command, count) in [("hgetall", 0), ("hmget", 1), ("xrevrange", 0), ("ssubscribe", 1)] {
                #expect(calls(command, statistics) == count, "\(command)")
            }
        }
    }

    @Test("Prefer: wait gives the finished request, or the 202 when it takes longer")
    func waiting() async throws {
        var options = withWorker
        options.script = "hang when forever"
        try await withAPI(options) { api in
            let response = try api.solve(#"{"problem":"x y"}"#, ["Prefer: wait=10"])
            #expect(response.status == 200)
            #expect(try decode(response, as: Document.self).answer == "x y ")
            let slow = try api.solve(#"{"problem":"forever"}"#, ["Prefer: wait=1"])
            #expect(slow.status == 202)
            let id = try decode(slow, as: Accepted.self).correlationId
            #expect(try api.send("GET", "/api/math/requests/\(id)", ["Prefer: wait=x"]).status == 200)
            #expect(try api.send("DELETE", "/api/math/requests/\(id)").status == 200)
        }
    }

    @Test("Prefer: wait on a request that has begun receives its end and no token")
    func waitingBehindText() async throws {
        var options = withWorker
        options.script = "hang:2 when talking"
        try await withAPI(options) { api in
            let id = try api.accepted("talking for long")
            let path = "/api/math/requests/\(id)"
            let hasText = try await eventually { try api.send("GET", path).body.contains(#""answer":"talking for ""#) }
            #expect(hasText)
            #expect(try api.send("GET", path, ["Prefer: wait=1"]).status == 200)
            let read = try api.client("GET", path, ["Prefer: wait=30"])
            #expect(try await eventually { try api.channels(of: id) == ["ended"] })
            #expect(try await api.listener.inFlight().requests == 1)
            #expect(try api.send("DELETE", path).status == 200)
            #expect(try read.readResponse().body.contains(#""status":"cancelled""#))
            #expect(try await eventually { try api.channels(of: id).isEmpty })
        }
    }

    @Test("aborting in each phase ends the stream with cancelled", arguments: ["waiting", "silent", "talking"])
    func aborting(phase: String) async throws {
        var options = APIOptions()
        options.hasWorker = phase != "waiting"
        options.script = "hang when silent\nhang:1 when talking"
        try await withAPI(options) { api in
            let id = try api.accepted("\(phase) problem")
            let viewer = try api.client("GET", "/api/math/stream/\(id)")
            let last = ["waiting": "event: queued", "silent": "event: started", "talking": "event: token"][phase]
            _ = try viewer.read(through: last ?? "")
            let response = try api.send("DELETE", "/api/math/requests/\(id)")
            #expect(
                response.status == 200,
                "202 is the answer where the end does not come within the patience of 500 ms"
            )
            let document: Document = try decode(response)
            #expect(document.status == "cancelled")
            #expect(document.answer == ["waiting": nil, "silent": "", "talking": "talking "][phase])
            let end = try viewer.read(through: "0\r\n\r\n")
            #expect(end.contains("event: cancelled\ndata: {\"reason\":\"requested\""))
            #expect(try api.send("DELETE", "/api/math/requests/\(id)").status == 200, "idempotent")
        }
    }

    @Test("a repeated key answers with the first request, another problem under it is refused")
    func idempotency() async throws {
        try await withAPI { api in
            let key = ["Idempotency-Key: k1"]
            let first = try api.solve(#"{"problem":"1+1"}"#, key)
            let again = try api.solve(#"{ "options": {}, "problem": " 1+1" }"#, key)
            #expect(first.status == 202 && again.status == 202)
            #expect(first["idempotency-replayed"] == nil && again["idempotency-replayed"] == "true")
            #expect(first["x-correlation-id"] == again["x-correlation-id"])
            let other = try api.solve(#"{"problem":"1+2"}"#, key)
            #expect(other.status == 422)
            #expect(try ProblemDocument(other).type == ProblemKind.idempotencyKeyReused.problemType.uri)
            for bad in ["", "a b", String(repeating: "k", count: 256), "é"] {
                #expect(try api.solve(#"{"problem":"1"}"#, ["Idempotency-Key: \(bad)"]).status == 400)
            }
        }
    }

    @Test("U+0000 in a problem, and in an answer, is U+FFFD for every reader")
    func zero() async throws {
        var options = withWorker
        options.mock.content = .echo
        try await withAPI(options) { api in
            let title = try api.send(
                "POST",
                "/api/conversations",
                ["Content-Type: application/json"],
                body: #"{"title":"t\u0000"}"#
            )
            #expect(title.body.contains("\"title\":\"t\u{FFFD}\""))
            let response = try api.solve(#"{"problem":"a\u0000b"}"#, ["Prefer: wait=10"])
            let document: Document = try decode(response)
            #expect(document.problem == "a\u{FFFD}b" && document.answer == "a\u{FFFD}b ")
            let stream = try api.send("GET", "/api/math/stream/\(try #require(response["x-correlation-id"]))")
            #expect(stream.body.contains("data: {\"text\":\"a\u{FFFD}b \"}"))
        }
    }

    @Test("HEAD answers with the same head and no body")
    func head() async throws {
        try await withAPI { api in
            let id = try api.accepted()
            for path in ["/api/math/requests/\(id)", "/api/math/stream/\(id)"] {
                let client = try api.client("HEAD", path)
                let response = try client.readResponse(hasBody: false)
                #expect(response.status == 200, "\(path)")
                // The next response follows the head: there is no body between them.
                client.send("GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n")
                #expect(try client.readResponse().status == 404)
            }
            #expect(try api.send("HEAD", "/x").status == 404)
        }
    }
}

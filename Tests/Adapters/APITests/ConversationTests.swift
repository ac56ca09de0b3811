import Application
import ArchiveSupport
import Domain
import FoundationEssentials
import Shared
import TestSupport
import Testing

@Suite("Conversations over HTTP", .tags(.integration), .timeLimit(.minutes(2)))
struct ConversationTests {
    private static let json = ["Content-Type: application/json"]

    private struct Document: Decodable, Equatable {
        let id: String
        let title: String?
        let createdAt: String
        let updatedAt: String
    }

    private struct Message: Decodable {
        let id: String
        let role: String
        let content: String
        let correlationId: String
        let status: String
        let createdAt: String
    }

    private struct Page<Item: Decodable>: Decodable {
        let items: [Item]
        let nextCursor: String?
    }

    private func decode<Body: Decodable>(_ response: RawResponse, _: Body.Type = Body.self) throws -> Body {
        try JSONDecoder().decode(Body.self, from: Data(response.body.utf8))
    }

    private func create(_ bench: APIBench, _ body: String?) throws -> Document {
        let response = try bench.send("POST", "/api/conversations", body == nil ? [] : Self.json, body: body)
        #expect(response.status == 201)
        let document: Document = try decode(response)
        #expect(response["location"] == "/api/conversations/\(document.id)")
        return document
    }

    @Test("one is created, read, renamed, listed and deleted")
    func life() async throws {
        try await withAPI { bench in
            let made = try create(bench, #"{"title": "  Roots  ", "unknown": 1}"#)
            #expect(made.title == "Roots" && made.createdAt == made.updatedAt)
            #expect(ConversationID(made.id) != nil)
            let path = "/api/conversations/\(made.id)"
            #expect(try decode(try bench.send("GET", path)) == made)

            let renamed = try bench.send("PATCH", path, Self.json, body: #"{"title": "Zeros"}"#)
            #expect(renamed.status == 200)
            #expect(try decode(renamed, Document.self).title == "Zeros")
            for body in ["{}", nil] { #expect(try create(bench, body).title == nil) }
            let unnamed = try bench.send("GET", "/api/conversations")
            #expect(unnamed.body.contains(#""title":null"#) && unnamed.body.hasSuffix(#""nextCursor":null}"#))

            #expect(try bench.send("DELETE", path).status == 204)
            for (method, body) in [("GET", nil), ("DELETE", nil), ("PATCH", #"{"title":"x"}"#)] {
                let response = try bench.send(method, path, body == nil ? [] : Self.json, body: body)
                #expect(response.status == 404, "\(method)")
                #expect(try ProblemDocument(response).correlationId == nil)
            }
            #expect(try bench.send("GET", "\(path)/messages").status == 404)
            #expect(try decode(try bench.send("GET", "/api/conversations"), Page<Document>.self).items.count == 2)
        }
    }

    @Test("an invalid title, page size, cursor or id is reported as such")
    func mistakes() async throws {
        try await withAPI { bench in
            let made = try create(bench, "{}")
            let path = "/api/conversations/\(made.id)"
            let long = String(repeating: "x", count: 201)
            for body in [#"{"title":" "}"#, #"{"title":"\#(long)"}"#, #"{"title":5}"#] {
                for (method, target) in [("POST", "/api/conversations"), ("PATCH", path)] {
                    let response = try bench.send(method, target, Self.json, body: body)
                    #expect(response.status == 422, "\(method) \(body)")
                    #expect(try ProblemDocument(response).errors?.map(\.field) == ["title"])
                }
            }
            for body in ["{}", #"{"title":null}"#] {
                #expect(try bench.send("PATCH", path, Self.json, body: body).status == 422)
            }
            #expect(try bench.send("PATCH", path, Self.json, body: "{").status == 400)
            #expect(try bench.send("PATCH", path, body: #"{"title":"x"}"#).status == 415)
            for list in ["/api/conversations", "\(path)/messages"] {
                for limit in ["0", "101", "x", "", "-1", "%2B5", "1.5"] {
                    let response = try bench.send("GET", "\(list)?limit=\(limit)")
                    #expect(response.status == 422, "limit=\(limit)")
                    #expect(try ProblemDocument(response).errors?.map(\.field) == ["limit"])
                }
                for cursor in ["x", "", "bm9uZQ", "MSAwMWExZmUxMw", "!"] {
                    let response = try bench.send("GET", "\(list)?cursor=\(cursor)")
                    #expect(response.status == 422, "cursor=\(cursor)")
                    #expect(try ProblemDocument(response).errors?.map(\.field) == ["cursor"])
                }
                #expect(try bench.send("GET", "\(list)?limit=100").status == 200)
            }
            #expect(try bench.send("GET", "/api/conversations/\(made.id)0").status == 400)
            let upper = try bench.send("GET", "/api/conversations/\(made.id.uppercased())")
            #expect(upper.status == 200 && upper.body.contains(made.id))
            #expect(try bench.send("PUT", path)["allow"] == "GET, PATCH, DELETE, HEAD")
        }
    }

    @Test("another user's conversation does not exist")
    func foreign() async throws {
        try await withAPI { bench in
            let theirs = Samples(user: UserID("ada"), number: 1)
            try await bench.add([.finished(theirs.finished(1, at: 0))])
            let path = "/api/conversations/\(theirs.conversationID)"
            #expect(try bench.send("GET", path).status == 404)
            #expect(try bench.send("GET", "\(path)/messages").status == 404)
            #expect(try bench.send("DELETE", path).status == 404)
            #expect(try bench.send("PATCH", path, Self.json, body: #"{"title":"x"}"#).status == 404)
            #expect(try decode(try bench.send("GET", "/api/conversations"), Page<Document>.self).items.isEmpty)
            #expect(try bench.send("GET", "/api/math/requests/\(theirs.request(1).correlationID)").status == 404)
            #expect(try bench.send("GET", "/api/math/stream/\(theirs.request(1).correlationID)").status == 404)
        }
    }

    @Test(
        "messages come newest page first, newest last, and pages stay while messages are added",
        arguments: [1, 2, 3, 100]
    )
    func messages(_ limit: Int) async throws {
        try await withAPI { bench in
            let mine = Samples(user: .anonymous, number: 1)
            let all = (1...4).map { mine.finished($0, at: Int64($0 / 2), answer: "answer \($0)") }
            try await bench.add(all.map { .finished($0) })
            try await bench.add([
                .finished(mine.finished(5, at: 5, .failed, answer: "part")), mine.submitted(6, at: 6),
            ])
            let expected =
                all.flatMap { ["user \($0.request.correlationID)", "assistant \($0.answer)"] }
                + ["user \(mine.request(5).correlationID)", "assistant part", "user \(mine.request(6).correlationID)"]
            var seen: [Message] = []
            var cursor: String?
            var later: UInt64 = 100
            repeat {
                let target = "/api/conversations/\(mine.conversationID)/messages?limit=\(limit)"
                let response = try bench.send("GET", target + (cursor.map { "&cursor=\($0)" } ?? ""))
                let page: Page<Message> = try decode(response)
                #expect(page.items.count == limit || page.nextCursor == nil)
                seen = page.items + seen
                cursor = page.nextCursor
                later += 1
                try await bench.add([.finished(mine.finished(later, at: Int64(later)))])
            } while cursor != nil
            #expect(seen.map { "\($0.role) \($0.role == "user" ? $0.id : $0.content)" } == expected)
            #expect(Set(seen.map(\.id)).count == seen.count)
            #expect(seen.suffix(3).map(\.status) == ["failed", "failed", "queued"])
            #expect(seen[1].correlationId == seen[0].id)
        }
    }

    @Test("conversations come the most recently changed first, page by page")
    func pages() async throws {
        try await withAPI { bench in
            for number: UInt64 in 1...5 {
                try await bench.add([Samples(user: .anonymous, number: number).submitted(1, at: Int64(number / 2))])
            }
            var seen: [Document] = []
            var cursor: String?
            repeat {
                let response = try bench.send(
                    "GET",
                    "/api/conversations?limit=2" + (cursor.map { "&cursor=\($0)" } ?? "")
                )
                let page: Page<Document> = try decode(response)
                seen += page.items
                cursor = page.nextCursor
                _ = try create(bench, "{}")
            } while cursor != nil
            let expected = (1...5).reversed().map { Samples(user: .anonymous, number: $0).conversationID.description }
            #expect(seen.map(\.id) == expected)
            #expect(seen.allSatisfy { $0.title == "2x + 3 = 7" })
        }
    }

    @Test("while the archive is unavailable every conversation route is 503 with Retry-After")
    func away() async throws {
        try await withAPI { bench in
            let made = try create(bench, "{}")
            try await bench.setArchiveAway(true)
            let path = "/api/conversations/\(made.id)"
            let calls = [
                ("POST", "/api/conversations", "{}"), ("GET", "/api/conversations", nil), ("GET", path, nil),
                ("PATCH", path, #"{"title":"x"}"#), ("GET", "\(path)/messages", nil), ("DELETE", path, nil),
            ]
            for (method, target, body) in calls {
                let response = try bench.send(method, target, body == nil ? [] : Self.json, body: body)
                #expect(response.status == 503, "\(method) \(target)")
                #expect(response["retry-after"] == "2")
            }
            try await bench.setArchiveAway(false)
            #expect(try bench.send("DELETE", path).status == 204)
        }
    }

    @Test("an expired request is answered from the archive, its stream with one token and its end")
    func expired() async throws {
        try await withAPI { bench in
            let mine = Samples(user: .anonymous, number: 1)
            try await bench.add([
                .finished(mine.finished(1, at: 0)), .finished(mine.finished(2, at: 1, .cancelled, answer: "")),
                .finished(mine.finished(3, at: 2, .failed, answer: "part")), mine.submitted(4, at: 3),
            ])
            func id(_ place: UInt64) -> CorrelationID { mine.request(place).correlationID }

            let read = try bench.send("GET", "/api/math/requests/\(id(1))")
            #expect(read.status == 200 && read.body.contains(#""answer":"x = 2","finishReason":"stop""#))
            #expect(try bench.send("GET", "/api/math/requests/\(id(3))").body.contains(#""answer":"part""#))
            #expect(try bench.send("DELETE", "/api/math/requests/\(id(2))").status == 200)
            #expect(try bench.send("GET", "/api/math/requests/\(id(4))").status == 410)
            #expect(try bench.send("GET", "/api/math/stream/\(id(4))").status == 410)

            let completed =
                #"data: {"finishReason":"stop","provider":"local","model":"libqalculate","usage":{"inputTokens":5,"#
                + #""outputTokens":50},"attempts":1,"queueMs":1,"firstTokenMs":2,"durationMs":99}"#
            let token = "id: 1-7\nevent: token\ndata: {\"text\":\"x = 2\"}"
            let end = "id: 1-8\nevent: completed\n" + completed
            let (head, frames) = try bench.stream("/api/math/stream/\(id(1))")
            #expect(head.status == 200 && head["content-type"] == "text/event-stream")
            #expect(frames == ["retry: 2000", token, end])
            let resumed = try bench.stream("/api/math/stream/\(id(1))", ["Last-Event-ID: 1-3"]).frames
            let reset = "event: reset\ndata: {\"reason\":\"history_lost\"}"
            #expect(resumed == ["retry: 2000", reset, token, end])
            // An EventSource that is disconnected between the two resumes with the end, and stops there.
            #expect(
                try bench.stream("/api/math/stream/\(id(1))", ["Last-Event-ID: 1-7"]).frames == ["retry: 2000", end]
            )
            #expect(try bench.send("GET", "/api/math/stream/\(id(1))", ["Last-Event-ID: 1-8"]).status == 204)
            let cancelled = try bench.stream("/api/math/stream/\(id(2))").frames
            #expect(cancelled.count == 2)
            #expect(cancelled[1].hasPrefix("id: 1-8\nevent: cancelled\ndata: {\"reason\":\"requested\""))
            let failed = try bench.stream("/api/math/stream/\(id(3))").frames
            #expect(failed.count == 3)
            #expect(failed[2].hasPrefix("id: 1-8\nevent: failed\ndata: {\"type\":\"/problems/provider-failed\""))
        }
    }

    @Test("a request that the archive cannot be asked about is 503, not unknown")
    func unknowable() async throws {
        try await withAPI { bench in
            try await bench.setArchiveAway(true)
            let id = Samples(user: .anonymous, number: 1).request(1).correlationID
            #expect(try bench.send("GET", "/api/math/requests/\(id)").status == 503)
            #expect(try bench.send("GET", "/api/math/stream/\(id)").status == 503)
        }
    }
}

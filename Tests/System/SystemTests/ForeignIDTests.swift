import FoundationEssentials
import TestSupport
import Testing

@Suite("Another user's ids, over HTTP", .tags(.system), .serialized, .timeLimit(.minutes(3)))
struct ForeignIDTests {
    private struct Call: Sendable {
        let method: String
        /// `ID` stands for a request, `CONVERSATION` for a conversation, `KEY` for an API key.
        let path: String
        var body = ""
        var headers: [(String, String)] = []
    }

    private static let calls = [
        Call(method: "GET", path: "/api/math/requests/ID"),
        Call(method: "GET", path: "/api/math/requests/ID", headers: [("Prefer", "wait=5")]),
        Call(method: "DELETE", path: "/api/math/requests/ID"), Call(method: "GET", path: "/api/math/stream/ID"),
        Call(method: "GET", path: "/api/math/stream/ID", headers: [("Last-Event-ID", "1-1")]),
        Call(method: "GET", path: "/api/math/stream/ID?lastEventId=0-1"),
        Call(method: "GET", path: "/api/math/stream/ID", headers: [("Last-Event-ID", "9-9")]),
        Call(method: "POST", path: "/api/auth/ticket", body: #"{"correlationId":"ID"}"#),
        Call(method: "GET", path: "/api/conversations/CONVERSATION"),
        Call(method: "GET", path: "/api/conversations/CONVERSATION/messages"),
        Call(method: "PATCH", path: "/api/conversations/CONVERSATION", body: #"{"title":"mine"}"#),
        Call(method: "DELETE", path: "/api/conversations/CONVERSATION"),
        Call(method: "POST", path: "/api/math/solve", body: #"{"problem":"1","conversationId":"CONVERSATION"}"#),
        Call(
            method: "POST",
            path: "/api/math/solve",
            body: #"{"problem":"1","conversationId":"CONVERSATION","options":{"onBusy":"interrupt"}}"#,
        ), Call(method: "DELETE", path: "/api/keys/KEY"),
    ]

    /// What a call may name.
    private struct Names: Sendable {
        let request: String
        let conversation: String
        let key: String

        func fill(_ text: String) -> String {
            text.replacing("ID", with: request).replacing("CONVERSATION", with: conversation)
                .replacing("KEY", with: key)
        }

        /// The reply without what it repeats of the call, and without what differs between any two replies.
        func shape(_ reply: RawResponse) -> String {
            var text = reply.body.replacing(request, with: "ID").replacing(conversation, with: "CONVERSATION")
            text = text.replacing(key, with: "KEY").replacing(/"requestId":"[^"]*"/, with: "")
            // How soon to reconnect is random.
            text = text.replacing(/retry: [0-9]+/, with: "retry")
            var headers = reply.headers
            for name in ["date", "x-request-id", "content-length"] { headers[name] = nil }
            let lines = headers.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
            return "\(reply.status)\n\(lines.joined(separator: "\n"))\n\(text)"
                .replacing(request, with: "ID")
        }
    }

    private func reply(_ call: Call, _ names: Names, _ client: AccountClient, _ token: String) throws -> String {
        let reply = try client.send(
            call.method,
            names.fill(call.path),
            names.fill(call.body),
            token: token,
            headers: call.headers,
            within: .seconds(30),
        )
        return names.shape(reply)
    }

    private func compare(
        _ call: Call,
        _ unknown: Names,
        _ theirs: [Names],
        _ client: AccountClient,
        _ token: String,
        _ isArchiveAway: Bool
    ) throws {
        let expected = try reply(call, unknown, client, token)
        #expect(expected.hasPrefix("404") || isArchiveAway, "\(call.method) \(call.path): \(expected)")
        for names in theirs {
            let found = try reply(call, names, client, token)
            #expect(found == expected, "\(call.method) \(call.path)")
            #expect(!found.contains("secret of ada"))
        }
    }

    @Test("every reply is the one for an unknown id, also with the archive away", arguments: [false, true])
    func table(isArchiveAway: Bool) async throws {
        let pace = ["MOCK_TOKENS": "2000", "MOCK_TOKEN_DELAY": "50ms"]
        let plan = Deployment.Plan(
            environment: AccountClient.settings.merging(pace) { $1 },
            postgres: isArchiveAway ? .init() : nil
        )
        try await Deployment.running(plan) { deployment in
            let client = deployment.accounts()
            let (ada, eve) = (try client.join("ada@example.org"), try client.join("eve@example.org"))
            let key = try client.makeKey(ada.token)
            let running = try client.submit("a secret of ada", token: ada.token)
            let over = try client.submit("another secret of ada", token: ada.token)
            let path = "/api/math/requests/\(over.correlationId)"
            #expect(try client.send("DELETE", path, token: ada.token).status < 300)
            // Old ids: for new ones the archive is waited for, whether or not there is such a conversation.
            let unknown = Names(
                request: "017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
                conversation: "017f22e2-79b0-7cc3-98c4-dc0c0c073990",
                key: "017f22e2-79b0-7cc3-98c4-dc0c0c073991",
            )
            if isArchiveAway { deployment.database.server.pause() }
            defer { if isArchiveAway { deployment.database.server.resume() } }
            let theirs = [running, over].map {
                Names(request: $0.correlationId, conversation: $0.conversationId, key: key.id)
            }
            // Side by side: with the archive away a reply takes seconds.
            try await withThrowingTaskGroup { group in
                for call in Self.calls {
                    group.addTask {
                        try await onThread { try compare(call, unknown, theirs, client, eve.token, isArchiveAway) }
                    }
                }
                try await group.waitForAll()
            }
            if isArchiveAway { deployment.database.server.resume() }
            let mine = try client.send("GET", "/api/math/requests/\(running.correlationId)", token: ada.token)
            #expect(mine.body.contains(#""status":"running""#), "nothing has happened to it")
        }
    }

    @Test("a cursor of another user's list shows nothing of that list")
    func cursors() async throws {
        try await Deployment.running(Deployment.Plan(environment: AccountClient.settings)) { deployment in
            struct Page: Decodable {
                struct Item: Decodable {
                    let id: String
                }
                let items: [Item]
                let nextCursor: String?
            }
            let client = deployment.accounts()
            let (ada, eve) = (try client.join("ada@example.org"), try client.join("eve@example.org"))
            for title in ["one", "two", "three"] {
                let body = #"{"title":"\#(title)"}"#
                #expect(try client.send("POST", "/api/conversations", body, token: ada.token).status == 201)
            }
            let page: Page = try client.call("GET", "/api/conversations?limit=1", "", token: ada.token, status: 200)
            let cursor = try #require(page.nextCursor)
            let path = "/api/conversations?cursor=\(cursor)"
            let theirs: Page = try client.call("GET", path, "", token: eve.token, status: 200)
            #expect(theirs.items.isEmpty && theirs.nextCursor == nil)
        }
    }
}

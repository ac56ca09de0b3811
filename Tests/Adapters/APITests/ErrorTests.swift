import API
import Domain
import FoundationEssentials
import Infrastructure
import Problems
import Shared
import TestSupport
import Testing

@Suite("Errors of the API", .tags(.integration))
struct ErrorTests {
    /// Checks everything that each error answer has.
    @discardableResult
    private func expect(
        _ response: RawResponse,
        _ kind: ProblemKind,
        at path: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> ProblemDocument {
        #expect(response.status == kind.problemType.status, "\(response)", sourceLocation: sourceLocation)
        #expect(response["content-type"] == "application/problem+json", sourceLocation: sourceLocation)
        let problem = try ProblemDocument(response)
        #expect(
            problem.type == kind.problemType.uri && problem.title == kind.problemType.title,
            sourceLocation: sourceLocation
        )
        #expect(problem.status == kind.problemType.status && !problem.detail.isEmpty, sourceLocation: sourceLocation)
        #expect(problem.instance == path, sourceLocation: sourceLocation)
        #expect(problem.requestId == response["x-request-id"], sourceLocation: sourceLocation)
        #expect(CorrelationID(problem.requestId) != nil, "made by the server", sourceLocation: sourceLocation)
        return problem
    }

    private let unknown = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"

    @Test("malformed JSON is a 400, a value of the wrong type a 422 that names the field")
    func bodies() async throws {
        try await withAPI { api in
            let malformed = [
                "", "{", "nonsense", #"{"problem":"1"#, #"{"problem":"1"} x"#, #"{'problem':'1'}"#,
                String(repeating: "[", count: 5000), #"{"problem":"\ud800"}"#, "{\"problem\":\"a\u{1}b\"}",
                #"{"problem":"1",}"#, #"{"problem":"1","x":[1,]}"#, #"{"problem":"1","problem":"2"}"#,
                #"{"problem":"1","x":[{"a":1,"\u0061":2}]}"#,
                #"{"problem":"1","options":{"onBusy":null,"onBusy":null}}"#,
            ]
            for body in malformed {
                try expect(try api.solve(body), .malformedRequest, at: "/api/math/solve")
            }
            let wrong = [
                (#"{"problem":1}"#, "problem"), (#"{"problem":["1"]}"#, "problem"), (#"[]"#, "body"), (#""1""#, "body"),
                (#"{"problem":"1","provider":{}}"#, "provider"), (#"{"problem":"1","options":[]}"#, "options"),
                (#"{"problem":"1","options":{"temperature":"hot"}}"#, "options.temperature"),
                (#"{"problem":"1","options":{"temperature":1e999}}"#, "options.temperature"),
                (#"{"problem":"1","options":{"temperature":true}}"#, "options.temperature"),
                (#"{"problem":"1","options":{"maxOutputTokens":1.5}}"#, "options.maxOutputTokens"),
                (#"{"problem":"1","options":{"maxOutputTokens":99999999999999999999}}"#, "options.maxOutputTokens"),
                (#"{"problem":"1","options":{"onBusy":1}}"#, "options.onBusy"),
                (#"{"problem":"1","conversationId":7}"#, "conversationId"),
                (#"{"problem":"1","options":{"onDisconect":"cancel"}}"#, "options.onDisconect"),
                (#"{"problem":"1","options":{"x":null,"temperature":1}}"#, "options.x"),
            ]
            for (body, field) in wrong {
                let problem = try expect(try api.solve(body), .validation, at: "/api/math/solve")
                #expect(problem.errors?.map(\.field) == [field], "\(body)")
                #expect(problem.errors?.first?.message.isEmpty == false)
            }
            let hints = [
                ("onDisconect", "did you mean onDisconnect?"), ("max_output_tokens", "did you mean maxOutputTokens?"),
                ("TEMPERATURE", "did you mean temperature?"), ("x", "there are temperature, maxOutputTokens,"),
            ]
            for (name, hint) in hints {
                let response = try api.solve(#"{"problem":"1","options":{"\#(name)":1}}"#)
                #expect(try ProblemDocument(response).errors?.first?.message.contains(hint) == true, "\(name)")
            }
            let twice = try api.solve(#"{"problem":"1","problem":"2"}"#)
            #expect(try ProblemDocument(twice).detail.contains(#""problem" twice"#))
        }
    }

    @Test("values out of range are a 422 that names all of them")
    func validation() async throws {
        try await withAPI { api in
            let options = #"{"temperature":3,"maxOutputTokens":0,"onDisconnect":"x","onBusy":"y"}"#
            let all = try expect(
                try api.solve(#"{"problem":" ","provider":"oracle","options":\#(options)}"#),
                .validation,
                at: "/api/math/solve",
            )
            let fields = [
                "problem", "provider", "options.temperature", "options.maxOutputTokens", "options.onDisconnect",
                "options.onBusy",
            ]
            #expect(all.errors?.map(\.field) == fields)
            #expect(all.errors?[1].message.contains("mock, local") == true)
            for body in [#"{}"#, #"{"problem":null}"#, #"{"problem":"\#(String(repeating: "é", count: 8001))"}"#] {
                let problem = try expect(try api.solve(body), .validation, at: "/api/math/solve")
                #expect(problem.errors?.map(\.field) == ["problem"])
            }
            let longest = String(repeating: "😀", count: 8000)
            #expect(try api.solve(#"{"problem":"\#(longest)"}"#).status == 202)
            #expect(try api.solve(#"{"problem":"1","unknown":[1],"options":null}"#).status == 202)
        }
    }

    @Test("a conversation's id must be a UUID and known")
    func conversations() async throws {
        try await withAPI { api in
            for id in ["1", "\(unknown)0", ""] {
                let response = try api.solve(#"{"problem":"1","conversationId":"\#(id)"}"#)
                try expect(response, .malformedRequest, at: "/api/math/solve")
            }
            let response = try api.solve(#"{"problem":"1","conversationId":"\#(unknown)"}"#)
            try expect(response, .notFound, at: "/api/math/solve")
        }
    }

    @Test("media types and sizes")
    func media() async throws {
        try await withAPI { api in
            let body = #"{"problem":"1"}"#
            let path = "/api/math/solve"
            for type in ["text/plain", "application/xml", "application/json; charset=utf-16", "json"] {
                let response = try api.send("POST", path, ["Content-Type: \(type)"], body: body)
                try expect(response, .unsupportedMediaType, at: path)
            }
            try expect(try api.send("POST", path, body: body), .unsupportedMediaType, at: path)
            try expect(try api.solve(body, ["Content-Encoding: gzip"]), .unsupportedMediaType, at: path)
            for type in [
                "application/json;charset=UTF-8", "Application/JSON ; charset=\"utf-8\"",
                "application/json; charset=utf8",
                #"application/json;x="a;b,c" ; Charset = UTF8"#,
            ] {
                #expect(try api.send("POST", path, ["Content-Type: \(type)"], body: body).status == 202, "\(type)")
            }
            for coding in ["identity", "Identity , identity"] {
                #expect(try api.solve(body, ["Content-Encoding: \(coding)"]).status == 202)
            }
            try expect(try api.solve(body, ["Content-Encoding: identity, gzip"]), .unsupportedMediaType, at: path)
            let both = try api.solve(body, ["Accept: application/json, text/event-stream"])
            #expect(both.status == 202 && both["content-type"] == "application/json")
            for accept in ["text/html", "image/*", "application/json;q=0", "*/*;q=0"] {
                try expect(try api.solve(body, ["Accept: \(accept)"]), .notAcceptable, at: path)
            }
            for accept in ["*/*", "application/*", "text/html, application/json;q=0.1", ""] {
                #expect(try api.solve(body, ["Accept: \(accept)"]).status == 202)
            }
            let fits = #"{"problem":"1","x":"\#(String(repeating: "x", count: 65_536 - 22))"}"#
            #expect(fits.utf8.count == 65_536)
            #expect(try api.solve(fits).status == 202)
            let large = try api.solve(fits + " ")
            #expect(large.status == 413)
            #expect(large["content-type"] == "application/problem+json")
            #expect(large["x-request-id"] == "made-here")
            #expect(large.body.contains(#""instance":"/api/math/solve","requestId":"made-here""#))
            let wide = fits.prefix(100).map { "\($0)\0" }.joined()
            #expect(try api.solve(wide).status == 400, "JSON is UTF-8, this could be UTF-16")
        }
    }

    @Test("a known path with another method is a 405 that names the allowed ones, an unknown path a 404")
    func paths() async throws {
        try await withAPI { api in
            let known = [
                ("GET", "/api/math/solve", "POST"), ("HEAD", "/api/math/solve", "POST"),
                ("PUT", "/api/math/requests/\(unknown)", "GET, DELETE, HEAD"),
                ("POST", "/api/math/stream/\(unknown)", "GET, HEAD"), ("POST", "/", "GET, HEAD"),
                ("DELETE", "/assets/app.js", "GET, HEAD"), ("OPTIONS", "/api/math/solve", "POST"),
            ]
            for (method, path, allow) in known {
                let response = try api.send(method, path)
                #expect(response["allow"] == allow, "\(method) \(path)")
                if method == "HEAD" {
                    #expect(response.status == 405)
                } else {
                    try expect(response, .methodNotAllowed, at: path)
                }
            }
            for path in [
                "/api", "/api/math/solve/", "/api/math/requests", "/api/math/requests/a/b", "/x", "/index.html",
            ] {
                try expect(try api.send("GET", path), .notFound, at: path)
            }
        }
    }

    @Test("ids of requests are checked, and unknown ones are a 404")
    func identifiers() async throws {
        try await withAPI { api in
            for id in ["1", "\(unknown)0", "%00", "%F0%9F%98%80"] {
                for (method, path) in [("GET", "requests"), ("DELETE", "requests"), ("GET", "stream")] {
                    let response = try api.send(method, "/api/math/\(path)/\(id)")
                    // The HTTP layer itself refuses a NUL.
                    #expect(response.status == 400, "\(method) \(path) \(id)")
                }
            }
            let known = try api.accepted()
            let upper = known.uppercased()
            let read = try api.send("GET", "/api/math/requests/\(upper)")
            #expect(read.status == 200 && read["x-correlation-id"] == known && !read.body.contains(upper))
            guard let id = CorrelationID(known) else { return }
            let ticket = api.tokens.issueTicket(for: id, user: .anonymous, key: nil)
            #expect(try api.send("DELETE", "/api/math/requests/\(upper)").status == 200)
            let stream = try api.send("GET", "/api/math/stream/\(upper)?ticket=\(ticket)")
            #expect(stream.status == 200 && stream["location"] == "/api/math/requests/\(known)")
            #expect(!stream.body.contains(upper))
            for (method, path) in [("GET", "requests"), ("DELETE", "requests"), ("GET", "stream")] {
                let path = "/api/math/\(path)/\(unknown)"
                let problem = try expect(try api.send(method, path), .notFound, at: path)
                #expect(problem.correlationId == unknown)
            }
        }
    }

    @Test("Last-Event-ID must be an event id; an empty one is none")
    func lastEventID() async throws {
        try await withAPI { api in
            let id = try api.accepted()
            let path = "/api/math/stream/\(id)"
            for value in ["x", "1", "01-1", "1-1-1", "9007199254740992-0", "-1-0"] {
                try expect(try api.send("GET", path, ["Last-Event-ID: \(value)"]), .malformedRequest, at: path)
                try expect(try api.send("GET", "\(path)?lastEventId=\(value)"), .malformedRequest, at: path)
            }
            #expect(try api.send("DELETE", "/api/math/requests/\(id)").status == 200)
            for (target, headers) in [(path, ["Last-Event-ID:"]), ("\(path)?lastEventId=", [])] {
                #expect(try api.stream(target, headers).frames.count == 3)
            }
            #expect(try api.stream("\(path)?lastEventId=0-2", ["Last-Event-ID: 0-1"]).frames.count == 2, "header wins")
            #expect(try api.send("GET", path, ["Last-Event-ID: 0-2"]).status == 204)
            try expect(try api.send("GET", path, ["Accept: text/html"]), .notAcceptable, at: path)
        }
    }

    @Test("X-Request-ID is echoed, made where absent, and refused where it is no visible ASCII")
    func requestID() async throws {
        try await withAPI { api in
            let longest = String(repeating: "r", count: 128)
            for id in ["abc", longest, "~!@#$%^&*()"] {
                #expect(try api.send("GET", "/x", ["X-Request-ID: \(id)"])["x-request-id"] == id)
                #expect(try api.solve(#"{"problem":"1"}"#, ["X-Request-ID: \(id)"])["x-request-id"] == id)
            }
            for id in ["a b", "\(longest)r", "é", ""] {
                try expect(try api.send("GET", "/x", ["X-Request-ID: \(id)"]), .malformedRequest, at: "/x")
            }
        }
    }

    // MARK: Credentials

    @Test("credentials of another scheme or form are ignored where none are required, such as Basic")
    func foreignCredentials() async throws {
        try await withAPI { api in
            for header in ["Bearer x", "Bearer ", "Basic eDp5", "x", "Bearer sk-none"] {
                let authorization = ["Authorization: \(header)"]
                #expect(try api.solve(#"{"problem":"1"}"#, authorization).status == 202, "\(header)")
                let id = try api.accepted()
                #expect(try api.send("DELETE", "/api/math/requests/\(id)", authorization).status == 200, "\(header)")
                #expect(try api.send("GET", "/api/math/stream/\(id)", authorization).status == 200, "\(header)")
            }
        }
    }

    @Test("a ticket counts beside a proxy's credentials, also where a token is required, but not beside a wrong token")
    func ticketBesideCredentials() async throws {
        for isRequired in [false, true] {
            var options = APIOptions()
            options.isAuthenticationRequired = isRequired
            try await withAPI(options) { api in
                guard let id = CorrelationID(unknown) else { return }
                let ticket = api.tokens.issueTicket(for: id, user: .anonymous, key: nil)
                let path = "/api/math/stream/\(unknown)"
                func status(_ header: String) throws -> Int {
                    try api.send("GET", "\(path)?ticket=\(ticket)", ["Authorization: \(header)"]).status
                }
                // The ticket proves that the request was known once.
                #expect(try status("Basic eDp5") == 410)
                #expect(try status("Bearer sk-none") == 410)
                #expect(try status("Bearer lm_wrong") == 401)
                #expect(try api.send("GET", "\(path)?ticket=x", ["Authorization: Basic eDp5"]).status == 401)
                let without = try api.send("GET", path, ["Authorization: Basic eDp5"]).status
                #expect(without == (isRequired ? 401 : 404))
            }
        }
    }

    @Test(
        "a wrong token is refused also where none is required",
        arguments: ["Bearer lm_x", "bearer eyJhbGciOiJIUzI1NiJ9.e30.c2ln", "Bearer eyJhbGciOiJub25lIn0.e30."]
    )
    func wrongToken(header: String) async throws {
        try await withAPI { api in
            let id = try api.accepted()
            for (method, path) in [("GET", "requests/\(id)"), ("DELETE", "requests/\(id)"), ("GET", "stream/\(id)")] {
                let path = "/api/math/\(path)"
                let response = try api.send(method, path, ["Authorization: \(header)"])
                try expect(response, .unauthenticated, at: path)
                #expect(response["www-authenticate"]?.hasPrefix("Bearer error=\"") == true)
            }
            let response = try api.solve(#"{"problem":"1"}"#, ["Authorization: \(header)"])
            try expect(response, .unauthenticated, at: "/api/math/solve")
        }
    }

    @Test("where a token is required, its absence is reported before any other error")
    func noToken() async throws {
        var options = APIOptions()
        options.isAuthenticationRequired = true
        try await withAPI(options) { api in
            let response = try api.solve("nonsense")
            try expect(response, .unauthenticated, at: "/api/math/solve")
            #expect(response["www-authenticate"]?.hasPrefix("Bearer error=\"") == true)
            let path = "/api/math/stream/\(unknown)"
            try expect(try api.send("GET", path), .unauthenticated, at: path)
        }
    }

    @Test("a ticket opens its own stream only, and only for its own user")
    func tickets() async throws {
        try await withAPI { api in
            let first = try api.accepted()
            let other = try api.accepted()
            let path = "/api/math/stream/\(first)"
            guard let id = CorrelationID(first), let otherID = CorrelationID(other) else { return }
            let tickets = ["", "x", "a.b.c", api.tokens.issueTicket(for: otherID, user: .anonymous, key: nil)]
            for ticket in tickets {
                let response = try api.send("GET", "\(path)?ticket=\(ticket)")
                try expect(response, .unauthenticated, at: path)
                #expect(response["www-authenticate"]?.hasPrefix(#"Bearer error="invalid_token", error_desc"#) == true)
            }
            let eves = api.tokens.issueTicket(for: id, user: UserID("eve"), key: nil)
            try expect(try api.send("GET", "\(path)?ticket=\(eves)"), .notFound, at: path)
            guard let lost = CorrelationID(unknown) else { return }
            let old = api.tokens.issueTicket(for: lost, user: .anonymous, key: nil)
            let gone = "/api/math/stream/\(unknown)"
            try expect(try api.send("GET", "\(gone)?ticket=\(old)"), .gone, at: gone)
        }
    }

    @Test("what was deleted is a 404 when it has expired, also for the holder of its ticket")
    func deletedAndExpired() async throws {
        try await withAPI { api in
            let accepted = try api.solve(#"{"problem":"1+1"}"#)
            let document = try JSONDecoder().decode(Accepted.self, from: Data(accepted.body.utf8))
            let path = "/api/math/stream/\(document.correlationId)"
            let other = try api.solve(#"{"problem":"1+1"}"#)
            let lost = try JSONDecoder().decode(Accepted.self, from: Data(other.body.utf8))
            #expect(try api.send("DELETE", "/api/conversations/\(document.conversationId)").status == 204)
            try expect(try api.send("GET", document.streamUrl), .notFound, at: path)
            _ = LoopbackSocket.ask(port: api.redis.port, "FLUSHALL\r\n")
            try expect(try api.send("GET", document.streamUrl), .notFound, at: path)
            try expect(try api.send("GET", path), .notFound, at: path)
            let lostPath = "/api/math/stream/\(lost.correlationId)"
            try expect(try api.send("GET", lost.streamUrl), .gone, at: lostPath)
        }
    }

    private struct Accepted: Decodable {
        let correlationId: String
        let conversationId: String
        let streamUrl: String
    }

    // MARK: Limits and outages

    @Test("a full queue is a 503 with Retry-After")
    func queueFull() async throws {
        var options = APIOptions()
        options.queueMaxDepth = 2
        try await withAPI(options) { api in
            for _ in 0..<2 { _ = try api.accepted() }
            let response = try api.solve(#"{"problem":"1"}"#)
            try expect(response, .queueFull, at: "/api/math/solve")
            #expect(response["retry-after"].flatMap { Int($0) } != nil)
        }
    }

    @Test("with Redis away everything that needs it is a 503, and it works again when Redis is back")
    func redisAway() async throws {
        try await withAPI { api in
            let id = try api.accepted()
            api.redis.kill()
            let response = try api.solve(#"{"problem":"1"}"#)
            try expect(response, .storeUnavailable, at: "/api/math/solve")
            for (method, path) in [("GET", "requests/\(id)"), ("DELETE", "requests/\(id)"), ("GET", "stream/\(id)")] {
                let path = "/api/math/\(path)"
                let response = try api.send(method, path)
                try expect(response, .storeUnavailable, at: path)
                #expect(response["retry-after"].flatMap { Int($0) } != nil)
            }
            let resumed = try api.send("GET", "/api/math/stream/\(id)", ["Last-Event-ID: 0-1"])
            #expect(resumed.status == 200, "an EventSource stops for good on any other status")
            #expect(resumed.body.split(separator: "\n").allSatisfy { $0.hasPrefix("retry: ") })
            try api.redis.restart()
            let isBack = try await eventually(within: .seconds(10)) {
                try api.solve(#"{"problem":"1"}"#).status == 202
            }
            #expect(isBack)
        }
    }
}

import Application
import Domain
import EventLoop
import HTTPServer
import Infrastructure
import Instrumentation
import Settings
import Shared
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import API

/// What the stages of a pipeline did, in order.
private final class Record: Sendable {
    private let steps = Mutex<[String]>([])

    func note(_ step: String) { steps.withLock { $0.append(step) } }

    /// The steps since the last call.
    func take() -> [String] {
        steps.withLock { steps in
            defer { steps = [] }
            return steps
        }
    }
}

/// Knows users by `Authorization: User <name>`, and tickets by `?ticket=<id>`.
private struct NamedUsers: Authenticator {
    let record: Record

    func precheck(_ head: HTTPRequest) throws(APIProblem) {
        record.note("precheck")
        _ = try user(head)
    }

    func caller(of request: HTTPRequest) async throws(APIProblem) -> Caller {
        record.note("identify")
        return Self.caller(try user(request), .none)
    }

    func viewer(of stream: CorrelationID, in request: HTTPRequest) async throws(APIProblem) -> Caller {
        record.note("identify viewer of \(stream)")
        return Self.caller(try user(request), request.query["ticket"] == nil ? .none : .ticket(key: nil))
    }

    func currentRoles(of caller: Caller) async throws(APIProblem) -> Set<Role> { caller.roles }

    private static func caller(_ user: UserID, _ credential: Caller.Credential) -> Caller {
        Caller(user: user, account: nil, roles: [], scopes: Set(KeyScope.allCases), credential: credential)
    }

    private func user(_ request: HTTPRequest) throws(APIProblem) -> UserID {
        guard let header = request.headers["Authorization"], header.hasPrefix("User ") else {
            throw .unauthenticated("invalid_request", "Name a user.")
        }
        return UserID(String(header.dropFirst(5)))
    }
}

/// Admits every user but `eager`.
private struct OneLimit: RequestLimiter {
    let record: Record

    func admit(_ limit: LimitClass, _ caller: Caller, _: HTTPRequest) async throws(APIProblem) {
        record.note("limit \(limit) \(caller.user)")
        guard caller.user != UserID("eager") else { throw APIProblem(.rateLimited, "Wait.") }
    }
}

/// Knows one limit, which an address reaches with its second request.
private final class OneAttempt: AddressAttempts {
    private var addresses: Set<String> = []

    func admit(from address: String) async -> LimitReached? {
        guard !addresses.insert(address).inserted else { return nil }
        return LimitReached(
            kind: .rate,
            name: "address",
            quota: 1,
            window: .seconds(60),
            retryAfter: .seconds(60),
        )
    }
}

@Suite("The request pipeline", .tags(.integration))
struct PipelineTests {
    private let id = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"

    private static func routes(_ record: Record) -> RouteTable {
        let handler: Route.Handler = { (caller, context) throws(APIProblem) in
            record.note("handle \(caller.user) \(caller.hasTicket) \(context.request.body.count)")
            guard context.parameter != "fail" else { throw APIProblem(.conversationBusy, "Busy.") }
            context.respond(HTTPResponse(status: 200, body: Array("done".utf8)))
        }
        let small = BodyLimit(bytes: 10_000)
        let solving: AccessPolicy = .caller(scopes: [.solve])
        let watching: AccessPolicy = .ticketOrCaller(scopes: [.read])
        return RouteTable(
            unknownPath: "Nothing here.",
            [
                Route(.get, "/open", access: .open, limit: .free, body: .json, handler),
                Route(.post, "/limited", access: solving, limit: .solve, body: small, handler),
                Route(.get, "/free/{id}", access: solving, limit: .free, body: .json, handler),
                Route(.get, "/api/math/stream/{id}", access: watching, limit: .free, body: .json, handler),
            ]
        )
    }

    /// Runs `body` on a thread of its own beside a listener with the routes above.
    private func withPipeline(
        _ body: @escaping @Sendable (_ port: Int, Record, MetricsRegistry) throws -> Void
    ) async throws {
        let group = LoopGroup(count: 1)
        defer { group.stop() }
        let (record, registry) = (Record(), MetricsRegistry())
        let metrics = LemmaMetrics(registry)
        var options = HTTPServerOptions()
        options.renderError = {
            APIProblem.refusal(status: $0, detail: $1, request: $2, requestID: $2.requestID, origins: [])
        }
        let listener = try await HTTPListener.start(host: "127.0.0.1", port: 0, on: group.loops, options: options) {
            RequestPipeline(
                Self.routes(record),
                PipelineStages(
                    loop: $0,
                    authenticator: NamedUsers(record: record),
                    limiter: OneLimit(record: record),
                    crossOrigin: nil,
                    observer: RequestObserver(
                        identifiers: IdentifierFactory(clock: SystemClock(), random: SecureRandomSource()),
                        metrics: metrics.http,
                        accessLog: AccessLog(.disabled, clients: ClientAddress(trustedProxies: [])),
                        tracer: nil,
                    ),
                )
            )
        }
        try await onThread { try body(listener.port, record, registry) }
        try await listener.closeAll()
    }

    private func send(_ client: RawClient, _ line: String, _ headers: [String] = [], body: String = "") {
        let length = body.isEmpty ? [] : ["Content-Length: \(body.utf8.count)"]
        client.send(([line + " HTTP/1.1", "Host: a"] + headers + length).joined(separator: "\r\n") + "\r\n\r\n" + body)
    }

    private func response(
        _ port: Int,
        _ line: String,
        _ headers: [String] = [],
        body: String = ""
    ) throws -> RawResponse {
        let client = try RawClient(port: port)
        send(client, line, headers, body: body)
        return try client.readResponse()
    }

    @Test("a request passes the stages in order, and a stage that rejects it is the last")
    func order() async throws {
        try await withPipeline { port, record, _ in
            let ada = ["Authorization: User ada"]
            #expect(try response(port, "POST /limited", ada, body: "12").status == 200)
            #expect(record.take() == ["identify", "limit solve ada", "handle ada false 2"])
            #expect(try response(port, "POST /limited", body: "12").status == 401)
            #expect(record.take() == ["identify"])
            let eager = try response(port, "POST /limited", ["Authorization: User eager"])
            #expect(eager.status == 429 && eager.body.contains("/problems/rate-limited"))
            #expect(record.take() == ["identify", "limit solve eager"])
            #expect(try response(port, "GET /free/1", ada).status == 200)
            #expect(record.take() == ["identify", "handle ada false 0"], "no limit, no limiter")
            #expect(try response(port, "GET /free/fail", ada).status == 409)
            #expect(record.take() == ["identify", "handle ada false 0"])
        }
    }

    @Test("an open route reads no credentials, a ticket route knows the stream that the path names")
    func access() async throws {
        try await withPipeline { port, record, _ in
            #expect(try response(port, "GET /open", ["Authorization: User ada"]).status == 200)
            #expect(record.take() == ["handle anonymous false 0"])
            let stream = "GET /api/math/stream/\(id)?ticket=1"
            #expect(try response(port, stream, ["Authorization: User ada"]).status == 200)
            #expect(record.take() == ["identify viewer of \(id)", "handle ada true 0"])
            let denied = try response(port, stream)
            #expect(denied.status == 401 && denied.body.contains(#""correlationId":"\#(id)""#))
            #expect(record.take() == ["identify viewer of \(id)"])
            #expect(try response(port, "GET /api/math/stream/1", ["Authorization: User ada"]).status == 400)
            #expect(record.take().isEmpty)
        }
    }

    @Test("every response is named and counted by its route, whichever stage made it")
    func counted() async throws {
        try await withPipeline { port, _, registry in
            let ada = ["Authorization: User ada", "X-Request-ID: mine"]
            let cases = [
                ("POST /limited", ada, 200, "/limited"), ("POST /limited", ["X-Request-ID: mine"], 401, "/limited"),
                ("GET /free/fail", ada, 409, "/free/{id}"), ("GET /x", ada, 404, "none"),
                ("PUT /open", ada, 405, "none"),
            ]
            for (line, headers, status, route) in cases {
                let response = try response(port, line, headers)
                #expect(response.status == status && response["x-request-id"] == "mine", "\(line)")
                let method = line.prefix { $0 != " " }
                let labels = #"{method="\#(method)",route="\#(route)",status="\#(status)"}"#
                #expect(registry.render().contains("lemma_http_responses_total\(labels) 1\n"), "\(line)")
            }
        }
    }

    @Test("requests with a password are limited by the client's address, behind trusted proxies alone")
    func credentials() async throws {
        let group = LoopGroup(count: 1)
        defer { group.stop() }
        let listener = try await HTTPListener.start(host: "127.0.0.1", port: 0, on: group.loops) {
            let handler: Route.Handler = { (_, context) throws(APIProblem) in
                context.respond(HTTPResponse(status: 204))
            }
            let proxies = ["127.0.0.1"].compactMap { IPNetwork($0) }
            return RequestPipeline(
                RouteTable(
                    unknownPath: "Nothing here.",
                    [
                        Route(.post, "/login", access: .open, limit: .credentials, body: .json, handler),
                        Route(.post, "/solve", access: .open, limit: .solve, body: .json, handler),
                    ]
                ),
                PipelineStages(
                    loop: $0,
                    authenticator: nil,
                    limiter: CredentialLimiter(
                        attempts: OneAttempt(),
                        clients: ClientAddress(trustedProxies: proxies),
                    ),
                    crossOrigin: nil,
                    observer: nil,
                )
            )
        }
        try await onThread {
            for address in ["192.0.2.1", "192.0.2.2"] {
                let forwarded = ["X-Forwarded-For: 198.51.100.1, \(address)"]
                #expect(try response(listener.port, "POST /login", forwarded).status == 204)
                let refused = try response(listener.port, "POST /login", forwarded)
                #expect(refused.status == 429 && refused["retry-after"] == "60")
                #expect(refused.body.contains("/problems/rate-limited"))
                #expect(refused["ratelimit"] == "\"address\";r=0;t=60")
                #expect(try response(listener.port, "POST /solve", forwarded).status == 204)
            }
        }
        try await listener.closeAll()
    }

    // MARK: Before the body

    @Test(
        "what the head decides is the response before a long body is sent",
        arguments: [
            ("POST /x", 9000, true, 404), ("POST /open", 9000, true, 405), ("POST /limited", 9000, false, 401),
            ("POST /limited", 10_001, true, 413), ("POST /limited", 10_001, false, 413),
        ]
    )
    func beforeBody(line: String, bytes: Int, isUser: Bool, status: Int) async throws {
        try await withPipeline { port, record, registry in
            let user = isUser ? ["Authorization: User ada"] : []
            let client = try RawClient(port: port)
            send(client, line, user + ["Content-Length: \(bytes)", "X-Request-ID: mine"])
            let response = try client.readResponse()
            #expect(response.status == status && response["content-type"] == "application/problem+json")
            #expect(response["x-request-id"] == "mine" && response["connection"] == "close")
            #expect(record.take() == (status == 401 ? ["precheck"] : []))
            // A 413 is the server's own, which counts it as a limit.
            #expect(registry.render().contains(#"status="\#(status)"} 1"#) == (status != 413))
        }
    }

    @Test("a client that waits for 100 Continue gets it only for a request that the head does not decide")
    func expectation() async throws {
        try await withPipeline { port, record, _ in
            let expect = ["Expect: 100-continue", "Content-Length: 2"]
            let refused = try RawClient(port: port)
            send(refused, "POST /limited", expect)
            #expect(try refused.readResponse().status == 401)
            let accepted = try RawClient(port: port)
            send(accepted, "POST /limited", expect + ["Authorization: User ada"])
            _ = try accepted.read(through: "HTTP/1.1 100 Continue\r\n\r\n")
            accepted.send("12")
            #expect(try accepted.readResponse().status == 200)
            let steps = ["precheck", "precheck", "identify", "limit solve ada", "handle ada false 2"]
            #expect(record.take() == steps)
        }
    }

    @Test("a short body is read although the request is rejected, so that the connection serves the next one")
    func shortBody() async throws {
        try await withPipeline { port, _, _ in
            let client = try RawClient(port: port)
            for (line, status) in [("POST /x", 404), ("POST /open", 405), ("POST /limited", 401)] {
                send(client, line, ["Content-Length: 2"])
                client.send("12")
                #expect(try client.readResponse().status == status)
            }
            send(client, "GET /open")
            #expect(try client.readResponse().status == 200)
        }
    }

    @Test("a chunked body above the route's limit is a 413 as well")
    func chunked() async throws {
        try await withPipeline { port, record, _ in
            let client = try RawClient(port: port)
            send(client, "POST /limited", ["Authorization: User ada", "Transfer-Encoding: chunked"])
            client.send("2711\r\n\(String(repeating: "x", count: 10_001))\r\n0\r\n\r\n")
            #expect(try client.readResponse().status == 413)
            #expect(record.take() == ["precheck"])
        }
    }
}

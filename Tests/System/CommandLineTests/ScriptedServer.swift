import EventLoop
import HTTPServer
import Synchronization
import TestSupport

/// An API that answers by script and records its requests.
final class ScriptedServer: Sendable {
    /// What one request for the stream gets.
    struct Stream: Sendable {
        enum Ending: Sendable {
            /// The response is completed.
            case end
            /// The connection is cut.
            case cut
            /// Nothing more comes.
            case silence
        }

        var status = 200
        var text = ""
        var ending = Ending.end
    }

    struct State {
        var submission: (status: Int, body: String) = (202, ScriptedServer.accepted)
        /// Answers to the first submissions, before `submission`.
        var firstSubmissions: [(status: Int, body: String)] = []
        /// `Retry-After` of every answer that is no stream.
        var retryAfter: String?
        var login: (status: Int, body: String) = (200, ScriptedServer.tokens(1))
        /// Answers to the refreshes, in order; then none is valid.
        var refreshes: [(status: Int, body: String)] = []
        var logout = 204
        var streams: [Stream] = []
        var readiness: (status: Int, body: String) = (200, #"{"status":"ready","checks":{}}"#)
        /// Whether DELETE takes the ticket of the stream.
        var deleteTakesTicket = true
        /// Whether DELETE is never answered.
        var deleteHangs = false
        var requests: [String] = []
        /// `Authorization` of each request; empty where there was none.
        var authorizations: [String] = []
        var bodies: [String] = []
        var lastEventIDs: [String] = []
    }

    static let id = "01999999-0000-7000-8000-000000000001"
    static let accepted = """
        {"correlationId":"\(id)","conversationId":"\(id)","status":"queued",\
        "streamUrl":"/api/math/stream/\(id)?ticket=t1","createdAt":"2026-11-21T12:00:00.000Z"}
        """

    /// The answer to a login or refresh: the tokens of a generation, with an access token for `seconds`.
    static func tokens(_ generation: Int, seconds: Int = 900) -> String {
        """
        {"accessToken":"access-\(generation)","tokenType":"Bearer","expiresIn":\(seconds),\
        "refreshToken":"refresh-\(generation)","refreshExpiresIn":2592000}
        """
    }

    private let state: Mutex<State>

    init(_ state: State) { self.state = Mutex(state) }

    var requests: [String] { state.withLock(\.requests) }
    var authorizations: [String] { state.withLock(\.authorizations) }
    var bodies: [String] { state.withLock(\.bodies) }
    var lastEventIDs: [String] { state.withLock(\.lastEventIDs) }

    /// Serves while `body` runs, which gets the port.
    static func serve(
        _ state: State,
        _ body: @escaping @Sendable (ScriptedServer, Int) async throws -> Void
    ) async throws {
        let group = LoopGroup(count: 1)
        defer { group.stop() }
        let server = ScriptedServer(state)
        let listener = try await HTTPListener.start(host: "127.0.0.1", port: 0, on: group.loops) { _ in
            ScriptedHandler(server)
        }
        try await body(server, listener.port)
        try await listener.closeAll()
    }

    fileprivate func withState<Result: Sendable>(_ body: @Sendable (inout State) -> Result) -> Result {
        state.withLock { body(&$0) }
    }
}

private final class ScriptedHandler: HTTPHandler {
    private let server: ScriptedServer

    init(_ server: ScriptedServer) { self.server = server }

    func handle(_ request: HTTPRequest, _ exchange: HTTPExchange) {
        let line = "\(request.method.name) \(request.target)"
        let body = String(decoding: request.body, as: UTF8.self)
        let authorization = request.headers["Authorization"] ?? ""
        server.withState { state in
            state.requests.append(line)
            state.authorizations.append(authorization)
            if !body.isEmpty { state.bodies.append(body) }
        }
        switch (request.method, request.path) {
        case (.post, "/api/math/solve"): respond(submission(), exchange)
        case (.post, "/api/auth/login"): respond(server.withState(\.login), exchange)
        case (.post, "/api/auth/refresh"): respond(refresh(), exchange)
        case (.post, "/api/auth/logout"): respond((server.withState(\.logout), ""), exchange)
        case (.get, "/readyz"): respond(server.withState(\.readiness), exchange)
        case (.get, "/api/math/stream/\(ScriptedServer.id)"): stream(request, exchange)
        case (.delete, "/api/math/requests/\(ScriptedServer.id)"):
            guard !server.withState(\.deleteHangs) else { return hang(exchange) }
            let isTaken = server.withState(\.deleteTakesTicket) || request.query["ticket"] == nil
            respond(isTaken ? (202, #"{"status":"running"}"#) : (401, "{}"), exchange)
        case _: respond((404, #"{"title":"Not found"}"#), exchange)
        }
    }

    private func respond(_ answer: (status: Int, body: String), _ exchange: HTTPExchange) {
        var response = HTTPResponse(status: answer.status, body: Array(answer.body.utf8))
        if let seconds = server.withState(\.retryAfter) { response.headers.append("Retry-After", seconds) }
        exchange.respond(response)
    }

    private func submission() -> (status: Int, body: String) {
        server.withState { state in
            state.firstSubmissions.isEmpty ? state.submission : state.firstSubmissions.removeFirst()
        }
    }

    private func refresh() -> (status: Int, body: String) {
        server.withState { state in
            let spent = (status: 401, body: #"{"title":"Not authenticated"}"#)
            return state.refreshes.isEmpty ? spent : state.refreshes.removeFirst()
        }
    }

    /// Holds the exchange, which would answer by itself otherwise.
    private func hang(_ exchange: HTTPExchange) {
        exchange.loop.schedule(after: .seconds(60)) { exchange.respond(HTTPResponse(status: 204)) }
    }

    private func stream(_ request: HTTPRequest, _ exchange: HTTPExchange) {
        let last = request.headers["Last-Event-ID"] ?? ""
        let script = server.withState { state in
            state.lastEventIDs.append(last)
            return state.streams.isEmpty ? ScriptedServer.Stream(status: 204) : state.streams.removeFirst()
        }
        guard script.status == 200 else { return respond((script.status, script.text), exchange) }
        let response = exchange.startStream(status: 200, headers: ["Content-Type": "text/event-stream"])
        response.write { $0.append(contentsOf: "retry: 10\n\(script.text)".utf8) }
        switch script.ending {
        case .end: response.end()
        // In a later turn, so that what was written has left.
        case .cut: exchange.loop.schedule(after: .milliseconds(20)) { response.abort() }
        case .silence: exchange.loop.schedule(after: .seconds(60)) { response.end() }
        }
    }
}

import EventLoop
import FoundationEssentials
import HTTPServer
import Synchronization
import TestSupport

/// A collector of OTLP over HTTP and a provider with OpenAI's dialect, on one port.
///
/// Safe from any thread.
final class TraceCollector: Sendable {
    /// What the provider does with a call.
    enum ProviderTurn: Sendable {
        case answer
        case fail
        /// Sends one token, then nothing.
        case hang
    }

    /// The trace headers that a call of the provider had.
    struct Call: Sendable {
        let traceparent: String?
        let tracestate: String?
    }

    private struct State {
        var payloads: [String] = []
        var calls: [Call] = []
        var turns: [ProviderTurn]
    }

    private let state: Mutex<State>

    private init(_ turns: [ProviderTurn]) { state = Mutex(State(turns: turns)) }

    /// Everything exported, in order of arrival.
    var payloads: [String] { state.withLock { $0.payloads } }
    var calls: [Call] { state.withLock { $0.calls } }

    func spans() throws -> [TracedSpan] {
        try payloads.flatMap { try TracedSpan.read($0) }
    }

    /// Runs `body` with the port of one whose provider takes `turns` and answers from then on.
    static func running(
        _ turns: [ProviderTurn] = [],
        _ body: @escaping @Sendable (TraceCollector, _ port: Int) async throws -> Void
    ) async throws {
        let collector = TraceCollector(turns)
        let group = LoopGroup(count: 1)
        defer { group.stop() }
        var options = HTTPServerOptions()
        options.bodyBytesMax = 8 << 20
        let listener = try await HTTPListener.start(host: "127.0.0.1", port: 0, on: group.loops, options: options) {
            _ in
            Handler(collector)
        }
        do {
            try await body(collector, listener.port)
        } catch {
            try await listener.closeAll()
            throw error
        }
        try await listener.closeAll()
    }

    fileprivate func take(_ payload: [UInt8]) {
        state.withLock { $0.payloads.append(String(decoding: payload, as: UTF8.self)) }
    }

    fileprivate func turn(_ request: HTTPRequest) -> ProviderTurn {
        let call = Call(traceparent: request.headers["traceparent"], tracestate: request.headers["tracestate"])
        return state.withLock { state in
            state.calls.append(call)
            return state.turns.isEmpty ? .answer : state.turns.removeFirst()
        }
    }
}

private final class Handler: HTTPHandler {
    private static let events: HTTPFields = ["Content-Type": "text/event-stream"]

    private let collector: TraceCollector

    init(_ collector: TraceCollector) { self.collector = collector }

    func handle(_ request: HTTPRequest, _ exchange: HTTPExchange) {
        switch request.path {
        case "/v1/traces":
            collector.take(request.body)
            exchange.respond(HTTPResponse(status: 200, body: Array("{}".utf8)))
        case "/v1/chat/completions": answer(request, exchange)
        default: exchange.respond(HTTPResponse(status: 404))
        }
    }

    private func answer(_ request: HTTPRequest, _ exchange: HTTPExchange) {
        let usage = #""usage":{"prompt_tokens":11,"completion_tokens":7}"#
        let token = #"data: {"model":"m-2026","choices":[{"delta":{"content":"quaggaanswer"}}]}"# + "\n\n"
        let end = #"data: {"model":"m-2026","choices":[{"delta":{},"finish_reason":"stop"}],\#(usage)}"# + "\n\n"
        switch collector.turn(request) {
        case .answer:
            let body = Array("\(token)\(end)data: [DONE]\n\n".utf8)
            exchange.respond(HTTPResponse(status: 200, headers: Self.events, body: body))
        case .fail: exchange.respond(HTTPResponse(status: 503))
        case .hang:
            let stream = exchange.startStream(status: 200, headers: Self.events)
            stream.write { $0.append(contentsOf: token.utf8) }
        }
    }
}

/// A span as the collector got it.
struct TracedSpan: Decodable, Sendable {
    struct Link: Decodable, Sendable, Hashable {
        let traceId: String
        let spanId: String
    }

    private struct Attribute: Decodable {
        struct Value: Decodable {
            let stringValue: String?
            let intValue: String?
            let boolValue: Bool?
        }

        let key: String
        let value: Value
    }

    private struct Payload: Decodable {
        let resourceSpans: [ResourceSpans]
    }

    private struct ResourceSpans: Decodable {
        let resource: Resource
        let scopeSpans: [ScopeSpans]
    }

    private struct Resource: Decodable {
        let attributes: [Attribute]
    }

    private struct ScopeSpans: Decodable {
        let spans: [TracedSpan]
    }

    private struct Status: Decodable {
        let code: Int
    }

    enum CodingKeys: String, CodingKey {
        case traceId, spanId, parentSpanId, name, kind, attributes, links, status
    }

    let id: Link
    let parent: String?
    let name: String
    let kind: Int
    /// Values as text; lists are left out.
    let attributes: [String: String]
    let links: [Link]
    let hasFailed: Bool
    private(set) var service = ""

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        id = Link(
            traceId: try values.decode(String.self, forKey: .traceId),
            spanId: try values.decode(String.self, forKey: .spanId),
        )
        parent = try values.decodeIfPresent(String.self, forKey: .parentSpanId)
        name = try values.decode(String.self, forKey: .name)
        kind = try values.decode(Int.self, forKey: .kind)
        attributes = Self.texts(try values.decode([Attribute].self, forKey: .attributes))
        links = try values.decodeIfPresent([Link].self, forKey: .links) ?? []
        hasFailed = try values.decodeIfPresent(Status.self, forKey: .status)?.code == 2
    }

    static func read(_ payload: String) throws -> [TracedSpan] {
        let payload = try JSONDecoder().decode(Payload.self, from: Data(payload.utf8))
        return payload.resourceSpans.flatMap { part in
            let service = texts(part.resource.attributes)["service.name"] ?? ""
            return part.scopeSpans.flatMap(\.spans).map { span in
                var span = span
                span.service = service
                return span
            }
        }
    }

    private static func texts(_ attributes: [Attribute]) -> [String: String] {
        let pairs = attributes.map { attribute in
            let value = attribute.value
            return (attribute.key, value.stringValue ?? value.intValue ?? value.boolValue.map(String.init) ?? "")
        }
        return Dictionary(pairs) { first, _ in first }
    }

    func isChild(of other: TracedSpan) -> Bool { id.traceId == other.id.traceId && parent == other.id.spanId }
}

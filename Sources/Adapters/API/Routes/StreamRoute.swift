internal import Application
internal import Domain
internal import HTTPServer
internal import Instrumentation
internal import Shared
internal import Telemetry
internal import Time
internal import Tracing

/// `GET /api/math/stream/{id}`, and the stream that answers a `POST` with `Accept: text/event-stream`.
struct StreamRoute {
    /// How soon after a submission a stream is opened by whoever waits for its first token.
    private static let promptMilliseconds: Int64 = 10_000

    let services: APIServices

    func handle(_ caller: Caller, _ context: RequestContext) async throws(APIProblem) {
        let id = try context.identifier(CorrelationID.self)
        guard AcceptedTypes(context.request.headers["Accept"]).accepts("text/event-stream") else {
            throw APIProblem(.notAcceptable, "A stream is text/event-stream.")
        }
        let cursor = try Self.cursor(of: context.request)
        if cursor != nil { services.metrics.streams.resumed.increment() }
        let headers = SolveRoute.headers(id)
        try await open(id, user: caller.user, cursor: cursor, isKnown: caller.hasTicket, headers: headers, context)
    }

    /// Where the client wants to go on: the header wins over the query, and an empty value counts as absent.
    private static func cursor(of request: HTTPRequest) throws(APIProblem) -> EventID? {
        let header = request.headers["Last-Event-ID"].flatMap { $0.isEmpty ? nil : $0 }
        guard let text = header ?? request.query["lastEventId"], !text.isEmpty else { return nil }
        guard let id = EventID(text) else {
            throw APIProblem(.malformedRequest, "Last-Event-ID must be an event id of the form <attempt>-<sequence>.")
        }
        return id
    }

    func open(
        _ id: CorrelationID,
        user: UserID,
        cursor: EventID?,
        isKnown: Bool,
        headers: HTTPFields,
        _ context: RequestContext
    ) async throws(APIProblem) {
        let query = WatchAnswer(correlationID: id, userID: user, cursor: cursor, isKnown: isKnown)
        do {
            switch try await services.watch.handle(query) {
            case .events(let record, let after): start(record, after: after, reset: false, headers, context)
            case .replay(let finished, let start): replay(finished, from: start, headers, context)
            case .reset(let record): start(record, after: nil, reset: true, headers, context)
            case .nothingFollows:
                context.respond(HTTPResponse(status: 204, headers: ["X-Correlation-ID": id.description]))
            }
        } catch {
            switch error {
            case .notFound: throw .unknownRequest
            case .gone: throw .goneRequest
            case .unavailable:
                guard cursor != nil else { throw .storeUnavailable }
                sendAway(headers, context)
            }
        }
    }

    /// Answers a resume while the store is away with a stream that ends at once and says when to come back: an
    /// `EventSource` gives up for ever on any other status than 200.
    private func sendAway(_ common: HTTPFields, _ context: RequestContext) {
        let viewer = SSEViewer(registry: services.streams, span: context.trace.span)
        viewer.start(context.startStream(headers: Self.headers(common), delegate: viewer), reset: false) { _ in nil }
        viewer.sendAway(.unavailable)
    }

    /// Answers with what was kept of a request whose events have expired.
    private func replay(
        _ finished: FinishedRequest,
        from start: WatchAnswer.ReplayStart,
        _ common: HTTPFields,
        _ context: RequestContext
    ) {
        let viewer = SSEViewer(registry: services.streams, span: context.trace.span)
        let stream = context.startStream(headers: Self.headers(common), delegate: viewer)
        viewer.start(stream, reset: start == .reset) { viewer in
            let events = services.answers.replay(of: finished, withAnswer: start != .end)
            for event in events { viewer.deliver(event) }
            viewer.answerDidEnd(.terminal)
            return nil
        }
    }

    private func start(
        _ record: RequestRecord,
        after cursor: EventID?,
        reset: Bool,
        _ common: HTTPFields,
        _ context: RequestContext
    ) {
        // A stream is a trace of its own, however often it is resumed; the links lead to the request's.
        context.trace.span?.link(record.request.trace.flatMap { TraceContext($0) })
        context.trace.span?.set("lemma.stream.resumed", .bool(cursor != nil || reset))
        let viewer = SSEViewer(registry: services.streams, span: context.trace.span)
        let stream = context.startStream(headers: Self.headers(common), delegate: viewer)
        viewer.start(stream, reset: reset, submitted: waitsForFirstToken(of: record, after: cursor, reset)) {
            services.answers.watch(record, after: cursor, viewer: $0)
        }
    }

    /// When the request was submitted, for a client that came at once and from whose side the wait is felt; nil for one
    /// that comes back or comes late.
    private func waitsForFirstToken(of record: RequestRecord, after cursor: EventID?, _ reset: Bool) -> Timestamp? {
        guard cursor == nil, !reset, !record.status.isTerminal,
            UnixTime.milliseconds - record.createdAt.milliseconds < Self.promptMilliseconds
        else { return nil }
        return record.createdAt
    }

    private static func headers(_ common: HTTPFields) -> HTTPFields {
        var headers = common
        headers.append("Content-Type", "text/event-stream")
        headers.append("Cache-Control", "no-cache, no-transform")
        headers.append("X-Accel-Buffering", "no")
        return headers
    }
}

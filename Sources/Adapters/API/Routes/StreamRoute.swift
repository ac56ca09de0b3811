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
    /// How soon after a submission a stream is opened by a client that waits for the first token.
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
        try await open(id, for: caller, cursor: cursor, isKnown: caller.hasTicket, headers: headers, context)
    }

    /// The event to resume after: the header wins over the query, and an empty value counts as absent.
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
        for caller: Caller,
        cursor: EventID?,
        isKnown: Bool,
        headers: HTTPFields,
        _ context: RequestContext
    ) async throws(APIProblem) {
        let query = WatchAnswer(correlationID: id, userID: caller.user, cursor: cursor, isKnown: isKnown)
        do {
            switch try await services.watch.handle(query) {
            case .events(let record, let start): stream(record, from: start, to: caller, headers, context)
            case .replay(let finished, let start): replay(finished, from: start, to: caller, headers, context)
            case .nothingFollows:
                context.respond(HTTPResponse(status: 204, headers: ["X-Correlation-ID": id.description]))
            }
        } catch {
            switch error {
            case .notFound: throw .unknownRequest
            case .gone: throw .goneRequest
            case .unavailable:
                guard cursor != nil else { throw .storeUnavailable }
                interrupt(caller, headers, context)
            }
        }
    }

    /// Streams a request that was accepted just now: nothing of it is read before its `queued` event is written.
    func open(_ accepted: AcceptedRequest, for caller: Caller, headers: HTTPFields, _ context: RequestContext) {
        describe(accepted.request, isResumed: false, context)
        start(caller, headers, context, submitted: accepted.createdAt) {
            services.answers.watch(accepted, viewer: $0)
        }
    }

    /// Answers a resume while the store is away with a stream that ends at once and says when to reconnect: an
    /// `EventSource` never reconnects after any other status than 200.
    private func interrupt(_ caller: Caller, _ headers: HTTPFields, _ context: RequestContext) {
        start(caller, headers, context) { viewer in
            viewer.interrupt(.unavailable)
            return nil
        }
    }

    /// Answers with the archived answer of a request whose events have expired.
    private func replay(
        _ finished: FinishedRequest,
        from start: ReplayStart,
        to caller: Caller,
        _ headers: HTTPFields,
        _ context: RequestContext
    ) {
        self.start(caller, headers, context) { viewer in
            for event in services.answers.replay(of: finished, from: start) { viewer.deliver(event) }
            viewer.answerDidEnd(.terminal)
            return nil
        }
    }

    private func stream(
        _ record: RequestRecord,
        from start: AnswerStart,
        to caller: Caller,
        _ headers: HTTPFields,
        _ context: RequestContext
    ) {
        describe(record.request, isResumed: start != .first, context)
        self.start(caller, headers, context, submitted: submission(of: record, from: start)) {
            services.answers.watch(record, from: start, viewer: $0)
        }
    }

    /// A stream is a trace of its own, however often it is resumed; the link leads to the request's.
    private func describe(_ request: MathRequest, isResumed: Bool, _ context: RequestContext) {
        context.trace.span?.link(request.trace.flatMap { TraceContext($0) })
        context.trace.span?.set("lemma.stream.resumed", .bool(isResumed))
    }

    /// When the request was submitted, where this client has waited for the first token since then; nil for a client that
    /// resumes or comes late.
    private func submission(of record: RequestRecord, from start: AnswerStart) -> Timestamp? {
        guard start == .first, !record.status.isTerminal,
            UnixTime.milliseconds - record.createdAt.milliseconds < Self.promptMilliseconds
        else { return nil }
        return record.createdAt
    }

    private func start(
        _ caller: Caller,
        _ common: HTTPFields,
        _ context: RequestContext,
        submitted: Timestamp? = nil,
        _ watch: (SSEViewer) -> (any AnswerSubscription)?
    ) {
        let registry = services.streams
        let span = context.trace.span
        let meter = DeliveryMeter(loop: registry.loop, metrics: registry.metrics, span: span, submitted: submitted)
        let viewer = SSEViewer(HTTPDelivery(registry: registry, access: caller.access, meter: meter))
        viewer.start(context.startStream(headers: Self.headers(common), delegate: viewer), watch)
    }

    private static func headers(_ common: HTTPFields) -> HTTPFields {
        var headers = common
        headers.append("Content-Type", "text/event-stream")
        headers.append("Cache-Control", "no-cache, no-transform")
        headers.append("X-Accel-Buffering", "no")
        return headers
    }
}

internal import Domain
internal import EventLoop
internal import Instrumentation
internal import Shared
internal import Telemetry
internal import Time
internal import Tracing

/// Counts and measures what one viewer of one answer is delivered, whatever its transport is.
struct DeliveryMeter {
    private let loop: Loop
    private let metrics: StreamMetrics
    private let span: Span?
    /// When the request was submitted, until its first token has been written; nil where that wait is not measured.
    private var submitted: Timestamp?
    private var events = 0

    /// `span` is the request's and ends with the deliveries.
    ///
    /// `submitted` is when the client began to wait for its first token.
    init(loop: Loop, metrics: StreamMetrics, span: Span?, submitted: Timestamp? = nil) {
        self.loop = loop
        self.metrics = metrics
        self.span = span
        self.submitted = submitted
    }

    /// Notes an event that is being written.
    mutating func note(_ event: AnswerEvent) {
        events += 1
        metrics.eventsDelivered.increment()
        if event.name != .token || submitted != nil { noteRare(event) }
        if let appended = event.appendedMicroseconds { measureDelivery(since: appended) }
    }

    /// What happens a few times in a stream.
    private mutating func noteRare(_ event: AnswerEvent) {
        switch event.name {
        case .token, .reasoning:
            if let submitted { measureFirstToken(since: submitted) }
            submitted = nil
        case .restarted: metrics.resets[.restarted].increment()
        case .reset: metrics.resets[.historyLost].increment()
        case .queued, .started, .completed, .failed, .cancelled: break
        }
    }

    /// Measures a sampled event when the bytes that are being written now have reached the socket, by the clocks of two
    /// machines; a negative difference counts as 0.
    private func measureDelivery(since appended: Int64) {
        let traceID = span?.context.sampledTraceID
        loop.executeSoon { [metrics] in
            let time = Duration.microseconds(max(0, UnixTime.microseconds - appended))
            metrics.deliverySeconds.observe(time, exemplar: traceID)
        }
    }

    private func measureFirstToken(since submitted: Timestamp) {
        let waited = UnixTime.microseconds - submitted.milliseconds * 1000
        let time = Duration.microseconds(max(0, waited))
        metrics.firstTokenSeconds.observe(time, exemplar: span?.context.sampledTraceID)
    }

    /// No event follows.
    func end() {
        span?.set("lemma.stream.events", .int(events))
        span?.end()
    }
}

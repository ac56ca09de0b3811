package import EventLoop
internal import HTTPClient
package import Telemetry
internal import Time

/// How spans are exported.
package struct SpanExportOptions: Sendable {
    /// Between the end of one look at the queue and the next.
    package var period = Duration.seconds(1)
    /// Spans of one request, at least 1.
    package var batchMax = 512
    /// Tries of one batch, at least 1.
    package var triesMax = 6
    /// Limits of the pauses between tries, which double from the first to the last: exponential backoff with full jitter,
    /// on top of what the collector asks for.
    package var pauses = (first: Duration.seconds(1), last: Duration.seconds(30))
    /// For one request.
    package var requestLimit = Duration.seconds(10)
    /// How long the end of the process may wait for the last spans.
    package var flushLimit = Duration.seconds(2)
    /// Between two warnings: a collector may be away for a day.
    package var quiet = Duration.seconds(60)
    /// Fields that each request carries, such as a key.
    package var headers: [(name: String, value: String)] = []

    /// The defaults.
    package init() {}
}

/// Sends finished spans to a collector: OTLP over HTTP in JSON.
///
/// ```
///  every second: batches of 512 at most ──► POST ──┬─ 2xx ──► next
///                     ▲                            ├─ 429, 502, 503, 504, no answer ──► pause ──► POST, six times
///                     └── next, the batch is lost ◄┴─ anything else
/// ```
/// One request at a time. Whatever the collector does, those who make spans only find the queue full; it is never awaited
/// by a request. Loop-owned.
package final class SpanExporter {
    /// Spans made into JSON before others of the loop get their turn: about a fifth of a millisecond.
    private static let stepMax = 32
    /// The longest pause that a collector may ask for.
    private static let wishMax = Duration.seconds(300)

    private let queue: SpanQueue
    private let url: String
    private let resource: TraceResource
    private let options: SpanExportOptions
    private let transport: HTTPTransport
    private let loop: Loop
    private let metrics: SpanExportMetrics
    private let logger: Logger
    private var dropsSeen = 0
    private var lostUntold = 0
    private var quietUntil: Int64 = .min
    private var isFinishing = false
    private var rest: OneShot<Void>?
    private var running: Task<Void, Never>?

    /// Sends to `url` as it is, which ends in `/v1/traces` as a rule.
    ///
    /// *Loop thread.*
    package init(
        _ queue: SpanQueue,
        to url: String,
        as resource: TraceResource,
        on loop: Loop,
        options: SpanExportOptions = SpanExportOptions(),
        metrics: SpanExportMetrics,
        logger: Logger
    ) {
        self.queue = queue
        self.url = url
        self.resource = resource
        self.loop = loop
        self.options = options
        transport = HTTPTransport(on: loop)
        self.metrics = metrics
        self.logger = logger
    }

    /// Begins to export.
    package func start() {
        running = loop.spawn { [self] in
            var isLast = false
            while !isLast, !Task.isCancelled {
                await rest(for: options.period)
                isLast = isFinishing
                while queue.count > 0, !Task.isCancelled { await export() }
                countDrops()
            }
        }
    }

    /// Sends what is left, each batch once, as far as that goes within the limit, and closes; what is left then is lost.
    package func finish() async {
        isFinishing = true
        rest?.succeed(())
        let limit = loop.schedule(after: options.flushLimit) { [running] in running?.cancel() }
        await running?.value
        limit.close()
        lose(queue.take(upTo: .max).count, .unreachable, "the process ends")
        countDrops()
        transport.close()
    }

    /// Waits, until ``finish()`` or a cancellation at the longest.
    private func rest(for delay: Duration) async {
        guard !isFinishing else { return }
        let rest = OneShot<Void>(loop: loop)
        self.rest = rest
        let timer = loop.schedule(after: delay) { rest.succeed(()) }
        try? await rest.value()
        timer.close()
    }

    // MARK: One batch

    private enum Answer {
        case taken(rejected: Int)
        case refused(String)
        case tryAgain(String, after: Duration)
    }

    private func export() async {
        let spans = queue.take(upTo: options.batchMax)
        var request = HTTPClientRequest("POST", url, headers: options.headers)
        request.headers.append(("Content-Type", "application/json"))
        request.body = await payload(spans)
        request.timeouts.total = options.requestLimit
        request.limits.bodyBytesMax = 64 * 1024
        var number = 1
        while true {
            let answer = await send(request)
            countDrops()
            switch answer {
            case .taken(let rejected):
                let rejected = min(rejected, spans.count)
                metrics.exported.increment(by: spans.count - rejected)
                return lose(rejected, .rejected, "the collector rejected a part")
            case .refused(let why):
                metrics.failures.increment()
                return lose(spans.count, .rejected, why)
            case .tryAgain(let why, let wish):
                metrics.failures.increment()
                guard number < options.triesMax, !isFinishing else { return lose(spans.count, .unreachable, why) }
                warn(why)
                await rest(for: min(wish, Self.wishMax) + pause(after: number))
                number += 1
            }
        }
    }

    private func payload(_ spans: [SpanRecord]) async -> [UInt8] {
        var payload = SpanPayload(resource)
        for (index, span) in spans.enumerated() {
            payload.append(span)
            // A timer and not a yield, which would come back before the sockets are looked at.
            if index % Self.stepMax == Self.stepMax - 1 { try? await loop.sleep(for: .zero) }
        }
        return payload.finished()
    }

    private func send(_ request: HTTPClientRequest) async -> Answer {
        do throws(HTTPClientError) {
            let (response, body) = try await transport.collect(request)
            switch response.status {
            case 200...299: return .taken(rejected: Self.rejectedSpans(body))
            case 429, 502, 503, 504:
                return .tryAgain("the collector answered \(response.status)", after: response.retryAfter ?? .zero)
            case let status: return .refused("the collector answered \(status)")
            }
        } catch {
            switch error {
            case .resolve, .connect, .tls, .timedOut, .closed, .cancelled, .failed:
                return .tryAgain(error.description, after: .zero)
            // It has the spans, or will never have them.
            case .invalidRequest, .tooLarge, .protocolViolation: return .refused(error.description)
            }
        }
    }

    private func pause(after number: Int) -> Duration {
        min(options.pauses.first * (1 << (number - 1)), options.pauses.last) * Double.random(in: 0...1)
    }

    // MARK: Telling

    private func countDrops() {
        let drops = queue.dropped
        lose(drops - dropsSeen, .queueFull, "the queue is full")
        dropsSeen = drops
    }

    private func lose(_ count: Int, _ loss: SpanLoss, _ why: String) {
        guard count > 0 else { return }
        metrics.lost[loss].increment(by: count)
        lostUntold += count
        warn(why)
    }

    private func warn(_ why: String) {
        guard loop.nowMilliseconds >= quietUntil else { return }
        quietUntil = loop.nowMilliseconds + options.quiet.wholeMilliseconds
        logger.warning("spans not exported", ["error": .string(why), "spans_lost": .int(lostUntold)])
        lostUntold = 0
    }
}

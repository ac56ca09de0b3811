package import EventLoop
internal import HTTPClient
package import Telemetry
internal import Time

/// Options of the export of spans.
package struct SpanExportOptions: Sendable {
    /// Pause between two polls of the queue.
    package var period = Duration.seconds(1)
    /// Maximum number of spans per request, at least 1.
    package var batchMax = 512
    /// Maximum number of attempts per batch, at least 1.
    package var triesMax = 6
    /// Limits of the pauses between attempts, which double from the first to the last: exponential backoff with full jitter,
    /// in addition to the collector's `Retry-After`.
    package var pauses = (first: Duration.seconds(1), last: Duration.seconds(30))
    /// Time limit of one request.
    package var requestLimit = Duration.seconds(10)
    /// Time limit for the export of the last spans at the end of the process.
    package var flushLimit = Duration.seconds(2)
    /// Minimum time between two warnings: a collector may be unreachable for a day.
    package var quiet = Duration.seconds(60)
    /// Header fields of each request, such as a key.
    package var headers: [(name: String, value: String)] = []

    /// The defaults.
    package init() {}
}

/// Exports finished spans to a collector: OTLP over HTTP in JSON.
///
/// ```
///  every second: batches of 512 at most ──► POST ──┬─ 2xx ──► next
///                     ▲                            ├─ 429, 502, 503, 504, no answer ──► pause ──► POST, six times
///                     └── next, the batch is lost ◄┴─ anything else
/// ```
/// One request at a time. A slow or failing collector only fills the queue; no request of a client waits for it. Loop-owned.
package final class SpanExporter {
    /// Number of spans encoded before other work of the loop runs: about a fifth of a millisecond.
    private static let stepMax = 32
    /// Upper limit of a collector's `Retry-After`.
    private static let retryAfterMax = Duration.seconds(300)

    private let queue: SpanQueue
    private let url: String
    private let resource: TraceResource
    private let options: SpanExportOptions
    private let transport: HTTPTransport
    private let loop: Loop
    private let metrics: SpanExportMetrics
    private let logger: Logger
    private var dropsSeen = 0
    private var lostUnreported = 0
    private var quietUntil: Int64 = .min
    private var isFinishing = false
    private var rest: OneShot<Void>?
    private var running: Task<Void, Never>?

    /// Exports to `url` unchanged; it usually ends in `/v1/traces`.
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

    /// Starts the export.
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

    /// Exports the remaining spans with one attempt per batch and closes; spans that remain after the time limit are lost.
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

    /// Waits; ends early on ``finish()`` and on cancellation.
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
            case .tryAgain(let why, let retryAfter):
                metrics.failures.increment()
                guard number < options.triesMax, !isFinishing else { return lose(spans.count, .unreachable, why) }
                warn(why)
                await rest(for: min(retryAfter, Self.retryAfterMax) + pause(after: number))
                number += 1
            }
        }
    }

    private func payload(_ spans: [SpanRecord]) async -> [UInt8] {
        var payload = SpanPayload(resource)
        for (index, span) in spans.enumerated() {
            payload.append(span)
            // A timer, because a yield would resume before the loop polls the sockets.
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
            // The collector has the spans, or a retry would fail as well.
            case .invalidRequest, .tooLarge, .protocolViolation: return .refused(error.description)
            }
        }
    }

    private func pause(after number: Int) -> Duration {
        min(options.pauses.first * (1 << (number - 1)), options.pauses.last) * Double.random(in: 0...1)
    }

    // MARK: Losses

    private func countDrops() {
        let drops = queue.dropped
        lose(drops - dropsSeen, .queueFull, "the queue is full")
        dropsSeen = drops
    }

    private func lose(_ count: Int, _ loss: SpanLoss, _ why: String) {
        guard count > 0 else { return }
        metrics.lost[loss].increment(by: count)
        lostUnreported += count
        warn(why)
    }

    private func warn(_ why: String) {
        guard loop.nowMilliseconds >= quietUntil else { return }
        quietUntil = loop.nowMilliseconds + options.quiet.wholeMilliseconds
        logger.warning("spans not exported", ["error": .string(why), "spans_lost": .int(lostUnreported)])
        lostUnreported = 0
    }
}

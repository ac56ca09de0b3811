package import EventLoop
internal import HTTPClient
package import Telemetry

/// Why a span was not exported.
package enum SpanLoss: String, Sendable, CaseIterable {
    /// The collector was too slow or away, and the queue full.
    case queueFull = "queue_full"
    /// The collector refused it.
    case rejected
    /// The collector could not be reached, however often it was tried.
    case unreachable
}

/// What the export of spans is measured by.
package struct SpanExportMetrics: Sendable {
    package let exported: Counter
    package let lost: [SpanLoss: Counter]
    /// Requests to the collector that it did not take.
    package let failures: Counter

    package init(exported: Counter, lost: [SpanLoss: Counter], failures: Counter) {
        self.exported = exported
        self.lost = lost
        self.failures = failures
    }
}

/// Sends finished spans to a collector: OTLP over HTTP in JSON.
///
/// ```
///  every second: batches of 512 at most ──► POST ──┬─ 200 ──► next
///                     ▲                            ├─ 429, 502, 503, 504, no answer ──► pause ──► POST, six times
///                     └── next, the batch is lost ◄┴─ anything else
/// ```
/// One request at a time. Whatever the collector does, those who make spans only find the queue full; it is never awaited
/// by a request. Loop-owned.
package final class SpanExporter {
    private static let period = Duration.seconds(1)
    private static let batchMax = 512
    /// Spans made into JSON before others of the loop get their turn: about a fifth of a millisecond.
    private static let stepMax = 64
    private static let triesMax = 6
    /// Limits of the pauses, which double: exponential backoff with full jitter, within what the collector asks for.
    private static let pauses = (first: Duration.seconds(1), last: Duration.seconds(30))
    private static let requestLimit = Duration.seconds(10)
    /// How long the end of the process may wait for the last spans.
    private static let flushLimit = Duration.seconds(2)

    private let queue: SpanQueue
    private let url: String
    private let resource: TraceResource
    private let transport: HTTPTransport
    private let loop: Loop
    private let metrics: SpanExportMetrics
    private let logger: Logger
    private var dropsSeen = 0
    private var isFailing = false
    private var running: Task<Void, Never>?

    /// Sends to `endpoint` and `/v1/traces`.
    ///
    /// *Loop thread.*
    package init(
        _ queue: SpanQueue,
        to endpoint: String,
        as resource: TraceResource,
        on loop: Loop,
        metrics: SpanExportMetrics,
        logger: Logger
    ) {
        self.queue = queue
        url = (endpoint.hasSuffix("/") ? String(endpoint.dropLast()) : endpoint) + "/v1/traces"
        self.resource = resource
        self.loop = loop
        transport = HTTPTransport(on: loop)
        self.metrics = metrics
        self.logger = logger
    }

    /// Begins to export.
    package func start() {
        running = loop.spawn { [self] in
            while (try? await loop.sleep(for: Self.period)) != nil {
                while queue.count > 0, !Task.isCancelled { await export(tries: Self.triesMax) }
                countDrops()
            }
        }
    }

    /// Sends what is left, as far as that goes in two seconds, and closes.
    package func finish() async {
        running?.cancel()
        await running?.value
        let last = loop.spawn { [self] in
            while queue.count > 0, !Task.isCancelled { await export(tries: 1) }
        }
        let limit = loop.schedule(after: Self.flushLimit) { last.cancel() }
        await last.value
        limit.close()
        countDrops()
        transport.close()
    }

    private func countDrops() {
        let drops = queue.dropped
        metrics.lost[.queueFull]?.increment(by: drops - dropsSeen)
        if drops > dropsSeen { logger.warning("spans dropped", ["spans": .int(drops - dropsSeen)]) }
        dropsSeen = drops
    }

    // MARK: One batch

    private enum Answer {
        case taken(rejected: Int)
        case refused(String)
        case tryAgain(String, after: Duration)
    }

    private func export(tries: Int) async {
        let spans = queue.take(upTo: Self.batchMax)
        var request = HTTPClientRequest("POST", url, headers: [("Content-Type", "application/json")])
        request.body = await payload(spans)
        request.timeouts.total = Self.requestLimit
        request.limits.bodyBytesMax = 64 * 1024
        for number in 1...tries {
            switch await send(request) {
            case .taken(let rejected):
                let rejected = min(rejected, spans.count)
                if rejected > 0 { lose(rejected, .rejected, "the collector rejected a part") }
                metrics.exported.increment(by: spans.count - rejected)
                isFailing = false
                return
            case .refused(let why):
                metrics.failures.increment()
                return lose(spans.count, .rejected, why)
            case .tryAgain(let why, let wish):
                metrics.failures.increment()
                tell(why)
                guard number < tries, (try? await loop.sleep(for: wish + Self.pause(after: number))) != nil else {
                    return lose(spans.count, .unreachable, why)
                }
            }
        }
    }

    private func payload(_ spans: [SpanRecord]) async -> [UInt8] {
        var payload = SpanPayload(resource)
        for (index, span) in spans.enumerated() {
            payload.append(span)
            if index % Self.stepMax == Self.stepMax - 1 { await Task.yield() }
        }
        return payload.finished()
    }

    private func send(_ request: HTTPClientRequest) async -> Answer {
        do {
            let (response, body) = try await transport.collect(request)
            switch response.status {
            case 200...299: return .taken(rejected: Self.rejectedSpans(body))
            case 429, 502, 503, 504:
                return .tryAgain("the collector answered \(response.status)", after: response.retryAfter ?? .zero)
            default: return .refused("the collector answered \(response.status)")
            }
        } catch {
            return .tryAgain("\(error)", after: .zero)
        }
    }

    private static func pause(after number: Int) -> Duration {
        let limit = min(pauses.first * (1 << (number - 1)), pauses.last)
        return limit * Double.random(in: 0...1)
    }

    // MARK: Telling

    private func lose(_ count: Int, _ loss: SpanLoss, _ why: String) {
        metrics.lost[loss]?.increment(by: count)
        logger.warning("spans lost", ["spans": .int(count), "reason": .string(loss.rawValue), "error": .string(why)])
    }

    /// Once for each time that the collector goes away.
    private func tell(_ why: String) {
        guard !isFailing else { return }
        isFailing = true
        logger.warning("collector away", ["error": .string(why)])
    }
}

import Cryptography
import EventLoop
import FoundationEssentials
import Instrumentation
import LemmaSettings
import Lifecycle
import Settings
import Telemetry
import Tracing

/// Exports the process's spans; starts before and stops after all services that record spans.
final class TracingService: Service {
    /// A process under full load ends a few thousand spans during a short outage of the collector; a span has about 1 KB.
    private static let spansMax = 4096

    let name = "tracing"
    let tracer: Tracer
    private let queue = SpanQueue(spansMax: spansMax)
    private let url: String
    private let headers: [(name: String, value: String)]
    private let resource: TraceResource
    private let loop: Loop
    private let metrics: SpanExportMetrics
    private let logger: Logger

    /// Nil without a configured collector: tracing is off.
    init?(_ otel: Configuration.OTel, on loop: Loop, metrics: SpanExportMetrics, logger: Logger) {
        guard let tracesURL = otel.tracesURL else { return nil }
        url = tracesURL
        headers = otel.headers.map { ($0.name, $0.value.reveal()) }
        self.loop = loop
        self.metrics = metrics
        self.logger = logger
        tracer = Tracer(sampler: Sampler(otel), queue: queue)
        resource = TraceResource(
            service: otel.serviceName,
            version: ReplicaDependencies.version,
            instance: Base64URL.encode(SecureRandom.bytes(9)),
            host: ProcessInfo.processInfo.hostName,
            processID: Int(ProcessInfo.processInfo.processIdentifier),
            others: otel.resourceAttributes.map { ($0.key, $0.value) },
        )
    }

    /// Spans that wait for their export.
    var queuedSpans: Int { queue.count }

    /// Closing sends the last spans.
    var limits: ServiceLimits { ServiceLimits(close: SpanExportOptions().flushLimit + .seconds(1)) }

    func run(started: @escaping @Sendable () -> Void) async throws {
        let exporter = try await loop.run { [self] loop in
            var options = SpanExportOptions()
            options.headers = headers
            let exporter = SpanExporter(
                queue,
                to: url,
                as: resource,
                on: loop,
                options: options,
                metrics: metrics,
                logger: logger,
            )
            exporter.start()
            return LoopBound(exporter, of: loop)
        }
        started()
        await untilCancelled()
        try await Task { try await exporter.loop.run { _ in await exporter.onLoop.finish() } }.value
        throw CancellationError()
    }
}

extension Sampler {
    fileprivate init(_ otel: Configuration.OTel) {
        self =
            switch otel.sampler {
            case .alwaysOn: .alwaysOn
            case .alwaysOff: .alwaysOff
            case .ratio: .ratio(otel.samplerRatio)
            case .parentAlwaysOn: .parentBased(root: .alwaysOn)
            case .parentAlwaysOff: .parentBased(root: .alwaysOff)
            case .parentRatio: .parentBased(root: .ratio(otel.samplerRatio))
            }
    }
}

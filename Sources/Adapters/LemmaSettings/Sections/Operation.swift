package import Settings

extension Configuration {
    /// Logs.
    package struct Logging: Sendable {
        /// The least severe level that is written; raw values are the logger's.
        package enum Level: String, Sendable, CaseIterable {
            case trace
            case debug
            case info
            case warning
            case error
        }

        /// The form of a line.
        package enum Format: String, Sendable, CaseIterable {
            case json
            case text
        }

        /// `LOG_LEVEL`.
        package var level: Level
        /// `LOG_FORMAT`.
        package var format: Format
        /// `AUDIT_LOG`: a file; nil for standard output.
        package var auditFile: String?
    }
}

extension Configuration.Logging {
    init(_ reader: SettingReader, isTerminal: Bool) {
        level = reader.value("LOG_LEVEL", .choice, default: "info", "The least severe level that is written.")
        format = reader.value(
            "LOG_FORMAT",
            .choice,
            default: SettingDefault(isTerminal ? "text" : "json", documented: "`json` (`text` on a terminal)"),
            "Form of a log line."
        )
        let audit = reader.value(
            "AUDIT_LOG",
            .text,
            default: "stdout",
            "Where audit records are written, one JSON object a line, whatever `LOG_LEVEL` is: `stdout`, or a file, which is "
                + "opened again on SIGHUP. With `stdout`, the lines have `\"log\":\"audit\"`, and those of commands go to "
                + "standard error."
        )
        auditFile = audit == "stdout" ? nil : audit
    }
}

extension Configuration {
    /// Traces.
    package struct OTel: Sendable {
        /// The samplers, by OpenTelemetry's names.
        package enum Sampler: String, Sendable, CaseIterable {
            case alwaysOn = "always_on"
            case alwaysOff = "always_off"
            case ratio = "traceidratio"
            case parentAlwaysOn = "parentbased_always_on"
            case parentAlwaysOff = "parentbased_always_off"
            case parentRatio = "parentbased_traceidratio"
        }

        /// The collector: `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` unchanged, or a path below `OTEL_EXPORTER_OTLP_ENDPOINT`; nil
        /// disables tracing.
        package var tracesURL: String?
        /// `OTEL_RESOURCE_ATTRIBUTES`, without `service.name`.
        package var resourceAttributes: [ResourceAttribute]
        /// `OTEL_EXPORTER_OTLP_HEADERS`: header fields of each request to the collector.
        package var headers: [HeaderField]
        /// `OTEL_SERVICE_NAME`.
        package var serviceName: String
        /// `OTEL_TRACES_SAMPLER`.
        package var sampler: Sampler
        /// `OTEL_TRACES_SAMPLER_ARG`: the share of the ratio samplers, 0…1.
        package var samplerRatio: Double
    }
}

extension Configuration.OTel {
    init(_ reader: SettingReader, _ role: Role) {
        let base = reader.optional(
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            .httpURL,
            "Collector of traces, which are sent to `/v1/traces` below it; without it and the next one, tracing is off."
        )
        let traces = reader.optional(
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            .exactHTTPURL,
            "Where traces are sent, used unchanged; takes precedence over the previous one."
        )
        tracesURL = traces ?? base.map { "\($0)/v1/traces" }
        let headers = reader.optional(
            "OTEL_EXPORTER_OTLP_HEADERS",
            SettingFormat<HeaderField>.headerField.list(),
            "Header fields of the requests to the collector, such as its key.",
        )
        self.headers = headers ?? []
        let attributes = reader.optional(
            "OTEL_RESOURCE_ATTRIBUTES",
            SettingFormat<ResourceAttribute>.resourceAttribute.list(),
            "Further attributes of the process in traces, such as `deployment.environment=staging,k8s.cluster.name=eu`."
        )
        resourceAttributes = (attributes ?? []).filter { $0.key != ResourceAttribute.serviceName }
        let named = attributes?.last { $0.key == ResourceAttribute.serviceName }?.value
        serviceName = reader.value(
            "OTEL_SERVICE_NAME",
            .text,
            default: SettingDefault(
                named ?? "lemma-\(role.rawValue)",
                documented: "`service.name` of `OTEL_RESOURCE_ATTRIBUTES`, else `lemma-api`, `lemma-worker`, …",
            ),
            "Name of the service in traces and logs."
        )
        sampler = reader.value(
            "OTEL_TRACES_SAMPLER",
            .choice,
            default: "parentbased_always_on",
            "Which traces are recorded."
        )
        samplerRatio = reader.value(
            "OTEL_TRACES_SAMPLER_ARG",
            .number(0...1),
            default: "1.0",
            "Share of traces that the ratio samplers record."
        )
    }
}

/// Which spans are recorded; the samplers of OpenTelemetry's specification ("Trace SDK", Sampling).
package enum Sampler: Sendable, Hashable {
    case alwaysOn
    case alwaysOff
    /// Keeps this share of traces, 0…1, by their ids: all replicas keep the same ones.
    case ratio(Double)
    /// What the parent is; without one, what the root sampler says.
    indirect case parentBased(root: Sampler)

    /// Whether a span is recorded that belongs to `traceID` and follows `parent`, where it follows one.
    func samples(_ traceID: TraceID, after parent: TraceContext?) -> Bool {
        switch self {
        case .alwaysOn: true
        case .alwaysOff: false
        // The last 56 bits are random by level 2 of W3C Trace Context, and OpenTelemetry compares them so.
        case .ratio(let share): Double(traceID.low & 0x00FF_FFFF_FFFF_FFFF) < share * 0x1p56
        case .parentBased(let root): parent?.isSampled ?? root.samples(traceID, after: nil)
        }
    }
}

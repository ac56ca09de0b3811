/// Decides which spans are recorded: the samplers of OpenTelemetry's specification ("Trace SDK", Sampling).
package enum Sampler: Sendable, Hashable {
    case alwaysOn
    case alwaysOff
    /// Records this share of traces, 0…1, by their ids: all replicas record the same traces.
    case ratio(Double)
    /// The decision of the parent; without a parent, the decision of the root sampler.
    indirect case parentBased(root: Sampler)

    /// True if a span of the trace `traceID` is recorded; `parent` is nil for the first span of a trace.
    func samples(_ traceID: TraceID, after parent: TraceContext?) -> Bool {
        switch self {
        case .alwaysOn: true
        case .alwaysOff: false
        // The last 56 bits are random by level 2 of W3C Trace Context, and OpenTelemetry records the highest of them.
        case .ratio(let share): traceID.low & 0x00FF_FFFF_FFFF_FFFF >= UInt64((1 - share) * 0x1p56)
        case .parentBased(let root): parent?.isSampled ?? root.samples(traceID, after: nil)
        }
    }
}

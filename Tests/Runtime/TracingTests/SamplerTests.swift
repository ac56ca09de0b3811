import TestSupport
import Testing

@testable import Tracing

@Suite("Samplers", .tags(.unit))
struct SamplerTests {
    /// Of so many trace ids, which are the same in each run.
    private static let count = 40_000

    private static func ids() -> [TraceID] {
        var random = SeededRandom(seed: 0x0715)
        return (0..<count).map { _ in TraceID(using: &random) }
    }

    private static func context(_ isSampled: Bool) -> TraceContext? {
        TraceContext(traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0\(isSampled ? 1 : 0)")
    }

    @Test("a ratio keeps its share of traces", arguments: [0.0001, 0.25, 0.5, 0.9])
    func ratio(share: Double) {
        let kept = Self.ids().count { Sampler.ratio(share).samples($0, after: nil) }
        // Six standard deviations: one run in a billion would fail, were the ids not the same in each.
        let deviation = (Double(Self.count) * share * (1 - share)).squareRoot()
        #expect(abs(Double(kept) - Double(Self.count) * share) <= 6 * deviation)
    }

    @Test("ratio 0 keeps nothing and ratio 1 everything, to the last id")
    func ends() throws {
        let extremes = [TraceID(high: 1, low: 0), TraceID(high: 1, low: .max), TraceID(high: .max, low: 1 << 56 - 1)]
        for id in Self.ids() + extremes.compactMap(\.self) {
            #expect(Sampler.ratio(1).samples(id, after: nil))
            #expect(!Sampler.ratio(0).samples(id, after: nil))
        }
    }

    @Test("what a small share keeps, a larger one keeps too, and every replica the same")
    func nested() {
        let small = Set(Self.ids().filter { Sampler.ratio(0.1).samples($0, after: nil) })
        let large = Set(Self.ids().filter { Sampler.ratio(0.25).samples($0, after: nil) })
        #expect(!small.isEmpty && small.isSubset(of: large))
    }

    @Test("only a sampler by parents asks the parent, and only for what has none its root")
    func parents() throws {
        let id = try #require(Self.ids().first)
        for isSampled in [true, false] {
            let parent = Self.context(isSampled)
            #expect(Sampler.alwaysOn.samples(id, after: parent))
            #expect(!Sampler.alwaysOff.samples(id, after: parent))
            #expect(Sampler.ratio(1).samples(id, after: parent))
            for root in [Sampler.alwaysOn, .alwaysOff, .ratio(0), .ratio(1)] {
                #expect(Sampler.parentBased(root: root).samples(id, after: parent) == isSampled)
                #expect(Sampler.parentBased(root: root).samples(id, after: nil) == root.samples(id, after: nil))
            }
        }
    }
}

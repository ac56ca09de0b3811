import EventLoop
import TestSupport
import Testing

@Suite("Everything at once", .tags(.integration))
struct StressTests {
    @Test("Loops under random load stop without a leak", arguments: [1, 2, 3, 4] as [UInt64])
    func stress(seed: UInt64) async throws {
        let live = Live()
        let group = LoopGroup(count: 3)
        let listener = try await group.loops[0].run { loop in
            let listener = try await TCPListener.listen(host: "127.0.0.1", port: 0, on: loop)
            listener.start(on: group.loops) { stream in
                stream.recorded().onRead = { stream.write($0) }
            }
            return LoopBound(listener, of: loop)
        }
        let port = try await group.loops[0].run { _ in listener.onLoop.port }
        let acts = Shared(0)
        for loop in group.loops {
            try await loop.run { loop in
                let load = Load(seed: seed &* 31 &+ UInt64(loop.index), port: port, live: live, on: loop)
                _ = loop.schedule(every: .milliseconds(1)) {
                    load.act()
                    acts.change { $0 += 1 }
                }
            }
        }
        #expect(try await eventually { acts.value >= 1000 })
        #expect(live.count > 0, "seed \(seed)")
        try await onThread { group.stop() }
        #expect(live.count == 0, "seed \(seed)")
    }
}

/// Does random things on one loop.
private final class Load {
    private let loop: Loop
    private let endpoint: Endpoint
    private let live: Live
    private var random: SplitMix64
    private var streams: [ByteStream] = []
    private var timers: [LoopTimer] = []
    private var tasks: [Task<Void, Never>] = []

    init(seed: UInt64, port: Int, live: Live, on loop: Loop) {
        self.loop = loop
        endpoint = .tcp(host: "127.0.0.1", port: port)
        self.live = live
        random = SplitMix64(state: seed)
    }

    func act() {
        switch UInt64.random(in: 0..<10, using: &random) {
        case 0, 1: connect()
        case 2, 3: write()
        case 4: streams.randomElement(using: &random)?.finish(linger: .milliseconds(5))
        case 5: take(&streams)?.close()
        case 6: schedule()
        case 7: take(&timers)?.close()
        case 8: sleep()
        default: take(&tasks)?.cancel()
        }
    }

    private func take<Element>(_ list: inout [Element]) -> Element? {
        list.isEmpty ? nil : list.remove(at: Int.random(in: 0..<list.count, using: &random))
    }

    private func connect() {
        let mark = live.mark()
        let task = loop.spawn { [weak self, loop, endpoint] in
            guard let stream = try? await ByteStream.connect(to: endpoint, on: loop, within: .seconds(5)) else {
                return
            }
            let recorder = stream.recorded()
            recorder.keepsBytes = false
            recorder.onClose = { mark.touch() }
            self?.streams.append(stream)
        }
        tasks.append(task)
    }

    private func write() {
        guard let stream = streams.randomElement(using: &random) else { return }
        let count = Int.random(in: 1...200_000, using: &random)
        stream.write([UInt8](repeating: 0, count: count))
        stream.awaitDrain()
    }

    private func schedule() {
        let mark = live.mark()
        let delay = Duration.milliseconds(Int.random(in: 0...20, using: &random))
        if Bool.random(using: &random) {
            timers.append(loop.schedule(after: delay) { mark.touch() })
        } else {
            timers.append(loop.schedule(every: delay) { mark.touch() })
        }
    }

    private func sleep() {
        let mark = live.mark()
        let delay = Duration.milliseconds(Int.random(in: 0...2000, using: &random))
        tasks.append(
            loop.spawn { [loop] in
                try? await loop.sleep(for: delay)
                mark.touch()
            }
        )
    }
}

/// Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014).
private struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

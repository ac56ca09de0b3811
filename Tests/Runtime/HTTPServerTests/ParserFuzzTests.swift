import TestSupport
import Testing

@testable import HTTPServer

/// A seeded generator (splitmix64), so that a failure can be reproduced.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}

@Suite("HTTP server: the parser, fuzzed", .tags(.unit))
struct ParserFuzzTests {
    private static let seeds = [
        "GET /hello?q=a%20b HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nX-Empty:\r\n\r\n",
        "POST /a%2Eb/c HTTP/1.1\r\nHost: a:80\r\nContent-Length: 11\r\nContent-Type: a/b\r\n\r\nhello world",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nX-A: b\r\n\r\n",
        "\r\nHEAD http://b/x HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, close\r\nExpect: 100-continue\r\n\r\n",
        "OPTIONS * HTTP/1.0\r\n\r\n",
        "PUT /upgrade HTTP/1.1\r\nHost: [::1]\r\nConnection: Upgrade\r\nUpgrade: x\r\nContent-Length: 2\r\n\r\nab",
        "POST /large HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nd\r\n",
    ]
    private static let splices = [
        "\r\n", "\n", "\r", " ", "\t", "\u{0}", ":", "\r\n ", "\r\n\r\n", "0\r\n", "%", "%2f", "HTTP/1.1",
        "Host: b\r\n", ";", ",",
        "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: gzip\r\n", "ffffffffffffffff",
        "+", "-",
    ]

    /// The requests that a connection reads in these bytes, and the refusal that ends them.
    private func verdict(of bytes: [UInt8], cutAt cuts: [Int], _ options: HTTPServerOptions) -> [String] {
        let parser = RequestParser(options: options)
        var verdict: [String] = []
        var start = 0
        for end in cuts + [bytes.count] {
            while start < end {
                let (count, event) = parser.consume(bytes.span.extracting(start..<end))
                start += count
                switch event {
                case .needsMore: break
                case .head:
                    do throws(RequestRefusal) {
                        try parser.limitBody(to: options.bodyBytesMax)
                    } catch {
                        return verdict + [error.rawValue]
                    }
                case .message:
                    let request = parser.request(from: "")
                    let fields = request.headers.all.map { "\($0.name)=\($0.value)" }
                    verdict.append("\(request.method) \(request.path) \(request.version) \(fields) \(request.body)")
                    verdict.append("\(request.target) \(parser.keepsAlive) \(parser.expectsContinue)")
                    parser.reset()
                case .refused(let refusal): return verdict + [refusal.rawValue]
                }
            }
        }
        return verdict
    }

    private func mutant(_ random: inout SeededRandom) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0...Int.random(in: 0...2, using: &random) {
            bytes += Array((Self.seeds.randomElement(using: &random) ?? "").utf8)
        }
        for _ in 0..<Int.random(in: 0...4, using: &random) {
            let place = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0...4, using: &random) {
            case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes.remove(at: place)
            case 2: bytes.insert(contentsOf: (Self.splices.randomElement(using: &random) ?? "").utf8, at: place)
            case 3:
                let end = min(bytes.count, place + Int.random(in: 1...30, using: &random))
                bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: 0..<bytes.count, using: &random))
            case _: bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...30, using: &random)))
            }
            if bytes.isEmpty { bytes = [UInt8(ascii: "G")] }
        }
        return bytes
    }

    @Test(
        "Mutated requests do not crash the parser, and the result does not depend on how the bytes were cut",
        arguments: [1, 2, UInt64.random(in: 3...UInt64.max)]
    )
    func cuts(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var options = HTTPServerOptions()
        options.headBytesMax = 300
        options.targetBytesMax = 24
        options.headersMax = 6
        options.bodyBytesMax = 12
        var outcomes: Set<String> = []
        for _ in 0..<8000 {
            let bytes = mutant(&random)
            let whole = verdict(of: bytes, cutAt: [], options)
            let single = verdict(of: bytes, cutAt: Array(1..<bytes.count), options)
            let cuts = (0..<Int.random(in: 1...5, using: &random)).map { _ in
                Int.random(in: 0..<bytes.count, using: &random)
            }
            let parts = verdict(of: bytes, cutAt: cuts.sorted(), options)
            outcomes.insert(whole.last ?? "none")
            guard whole == single, whole == parts else {
                Issue.record(
                    "seed \(seed): \(String(decoding: bytes, as: UTF8.self).debugDescription)\n\(whole)\n\(single)\n\(parts)"
                )
                return
            }
        }
        guard seed == 1 else { return }
        let unseen = RequestRefusal.allCases.filter { !outcomes.contains($0.rawValue) }
        #expect(
            unseen.allSatisfy { $0 == .truncated || $0 == .timedOut },
            "seed \(seed): no mutant reached \(unseen)"
        )
    }
}

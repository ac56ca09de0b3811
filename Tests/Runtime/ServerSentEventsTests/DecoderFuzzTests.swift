import ServerSentEvents
import TestSupport
import Testing

@Suite("Server-sent events, fuzzed", .tags(.unit))
struct DecoderFuzzTests {
    private static let mutation = Mutation(
        seeds: [
            "\u{FEFF}data: a\n\n", "event: token\r\nid: 1-5\r\ndata: {\"text\":\"é😀\"}\r\n\r\n", ": comment\n\n",
            "data\ndata: x\ndata:y\n\n", "retry: 250\rdata: CR\r\r", "id\ndata: z\n\n", "data: \u{2028}\u{0}\n\n",
            "data: \(String(repeating: "long", count: 30))\n\n", "id: 7\nevent: x\n",
        ],
        splices: ["\n", "\r", "\r\n", "\n\n", "data:", "id:", "event:", "retry:", ":", " ", "\u{FEFF}", "\u{0}", "é"],
    )

    private struct Reading: Equatable {
        var events: [ServerSentEvent] = []
        var error: ServerSentEventError?
        var lastID = ""
        var retry: Int?
    }

    private static func read(_ pieces: [ArraySlice<UInt8>], _ limits: ServerSentEventLimits) -> Reading {
        var decoder = ServerSentEventDecoder(limits: limits)
        var reading = Reading()
        do throws(ServerSentEventError) {
            for piece in pieces { try decoder.decode(piece) { reading.events.append($0) } }
        } catch {
            reading.error = error
        }
        reading.lastID = decoder.lastEventID
        reading.retry = decoder.retryMilliseconds
        return reading
    }

    @Test("no input crashes it, grows it, or shows how it was cut; no event is larger than the limits")
    func mutants() async {
        let result = await Self.mutation.run { bytes, cuts in
            // Some inputs are larger than the limits.
            let limits = ServerSentEventLimits(lineBytesMax: 80, dataBytesMax: 60)
            let whole = Self.read([bytes[...]], limits)
            // U+FFFD, which replaces a byte that is not UTF-8, has three bytes.
            let areBounded = whole.events.allSatisfy { $0.data.utf8.count <= 3 * 60 && $0.type.utf8.count <= 3 * 80 }
            return areBounded && Self.read(bytes.pieces(cuts), limits) == whole
        }
        #expect(result.failed.isEmpty, "inputs \(result.failed)")
        #expect(result.growth < Mutation.growthMax)
    }
}

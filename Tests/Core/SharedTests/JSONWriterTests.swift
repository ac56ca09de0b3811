import FoundationEssentials
import Shared
import TestSupport
import Testing

@Suite("JSON", .tags(.unit))
struct JSONWriterTests {
    private struct Document: Codable, Equatable {
        var text: String
        var number: Int
        var flag: Bool
        var real: Double
        var list: [String]
        var inner: [String: String]
    }

    @Test("Foundation reads back every text that was written", arguments: [1, 2, 3, 20_261_121] as [UInt64])
    func property(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        for _ in 0..<200 {
            let document = Document(
                text: random.text(scalars: Int.random(in: 0...40, using: &random)),
                number: Int(truncatingIfNeeded: random.next()),
                flag: Bool.random(using: &random),
                real: Double(Int64(truncatingIfNeeded: random.next())) / 1000,
                list: (0..<Int.random(in: 0...4, using: &random)).map { _ in random.text(scalars: 5) },
                inner: ["k\(random.text(scalars: 3))": random.text(scalars: 8)],
            )
            let bytes = JSONWriter.object { json in
                json.member("text", document.text)
                json.member("number", document.number)
                json.member("flag", document.flag)
                json.member("real", document.real)
                json.member("list", array: document.list) { $0.string($1) }
                json.member(
                    "inner",
                    object: { json in
                        for (name, value) in document.inner { json.member(dynamic: name, value) }
                    },
                )
            }
            #expect(!bytes.contains { $0 < 0x20 }, "one line, so that it fits an SSE frame; seed \(seed)")
            let read = try JSONDecoder().decode(Document.self, from: Data(bytes))
            // Scalars, not characters: canonically equal text is equal to Swift.
            #expect(Array(read.text.unicodeScalars) == Array(document.text.unicodeScalars), "seed \(seed)")
            #expect(read == document, "seed \(seed)")
        }
    }

    @Test("members keep their order, and what is nil or no number is left out")
    func shape() {
        let bytes = JSONWriter.object { json in
            json.member("b", 1)
            json.member("none", nil as String?)
            json.member("nan", Double.nan)
            json.member("infinite", Double.infinity)
            json.member("a", array: [1, 2]) { json, number in json.object { $0.member("n", number) } }
            json.member("e", array: [String]()) { $0.string($1) }
            json.member("o", object: { _ in })
            json.member("raw", json: Array("[1]".utf8))
            json.member("z", true)
        }
        let expected = #"{"b":1,"a":[{"n":1},{"n":2}],"e":[],"o":{},"raw":[1],"z":true}"#
        #expect(String(decoding: bytes, as: UTF8.self) == expected)
    }
}

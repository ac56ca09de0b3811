import FoundationEssentials
import TestSupport
import Testing

@testable import Infrastructure

@Suite("Reading JSON as providers write it", .tags(.unit))
struct JSONReaderTests {
    private static func read(_ text: String) throws -> JSONValue { try JSONReader.value(text[...].utf8) }

    @Test("values are what they are in JSON")
    func values() throws {
        let value = try Self.read(
            #" {"a" : [1, -2.50, 1e3, true, false, null], "b":{}, "a\u0062":"\n\"\\\/\u00e9\ud83d\ude00"} "#
        )
        let numbers = ["1", "-2.50", "1e3"].map { JSONValue.number($0) }
        #expect(value["a"] == .array(numbers + [.bool(true), .bool(false), .null]))
        #expect(value["b"] == .object([]) && value["c"] == nil)
        #expect(value["ab"] == .string("\n\"\\/é😀"))
        #expect(try Self.read("[]") == .array([]))
        #expect(try Self.read(#"{"a":1,"a":2}"#)["a"] == .number("2"))
    }

    @Test(
        "what is torn or no JSON is refused",
        arguments: [
            "", " ", "{", "[", "[1", "[1,", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{a:1}",
            "\"",
            "\"\\", "\"\\u12", "\"\\u12\"", "tru", "nul", "-", "+1", ".5", "1 2", "{} x", "\"a\" \"b\"", "[1 2]",
            "{\"a\" 1}",
            String(repeating: "[", count: 100_000),
        ]
    )
    func refused(text: String) {
        #expect(throws: JSONReader.Malformed.self) { try Self.read(text) }
    }

    @Test("beyond the standard it takes what servers write")
    func lenience() throws {
        #expect(
            try Self.read("[NaN,Infinity,-Infinity,None,True,False]")
                == .array([.null, .null, .null, .null, .bool(true), .bool(false)])
        )
        #expect(
            try Self.read(#"[1,{"a":2,},]"#)
                == .array([.number("1"), .object([JSONMember(name: "a", value: .number("2"))])])
        )
        #expect(try Self.read("\"a\nb\\(x\\)\"") == .string("a\nb\\(x\\)"))
        var joiner = SurrogateJoiner()
        let halves = try [#""x\ud83d""#, #""\ude00y""#].map { joiner.join(try Self.read($0).string ?? "") }
        #expect(halves == ["x", "😀y"] && joiner.finish().isEmpty)
    }

    @Test("integers are read from whatever stands for one")
    func integers() throws {
        let expected: [(String, Int?)] = [
            ("5", 5), ("5.0", 5), ("\"5\"", 5), ("-1", -1), ("9.5", nil), ("9223372036854775808", nil), ("1e400", nil),
            ("[]", nil), ("true", nil), ("\"\"", nil), ("\"nan\"", nil),
        ]
        for (text, number) in expected { #expect(try Self.read(text).integer == number, "\(text)") }
    }

    @Test("whatever Foundation takes it takes, with the same texts")
    func differential() async {
        let mutation = Mutation(
            seeds: [
                #"["a","é😀","\u00e9\n","\ud83d\ude00",""]"#, #"["\\","\"","/","\/",  "x" ]"#,
                "[\"\u{7f}\u{80}\u{2028}\"]",
            ],
            splices: ["\"", "\\", "\\u", "\\ud83d", "\\ude00", ",", "[", "]", " ", "\n", "é", "\u{0}", "\\u0000"],
        )
        let result = await mutation.run { bytes, _ in
            guard let texts = try? JSONDecoder().decode([String].self, from: Data(bytes)) else { return true }
            guard let value = try? JSONReader.value(String(decoding: bytes, as: UTF8.self)[...].utf8) else {
                return false
            }
            return value == .array(texts.map { .string($0) })
        }
        #expect(result.failed.isEmpty, "inputs \(result.failed)")
    }
}

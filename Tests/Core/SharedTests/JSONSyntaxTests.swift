import FoundationEssentials
import Shared
import TestSupport
import Testing

@Suite("The grammar of JSON", .tags(.integration))
struct JSONSyntaxTests {
    private static func failure(of text: String) -> JSONSyntax.Failure? { failure(of: Array(text.utf8)) }

    private static func failure(of bytes: [UInt8]) -> JSONSyntax.Failure? {
        do throws(JSONSyntax.Failure) {
            try JSONSyntax.check(bytes)
            return nil
        } catch {
            return error
        }
    }

    @Test(
        "what the grammar allows is taken",
        arguments: [
            "{}", "[]", "0", "-0", "-1.5e+10", "1E5", "\"\"", "true", " [ false , null ] ", "\u{FEFF}{}", "\"\\u0000\"",
            #"{"a":1,"b":{"a":1},"":[{"a":1},{"a":1}]}"#, #""\ud83d\uDE00\"\\\/\b\f\n\r\t""#, "\"\u{2028}é\u{7F}\"",
            "{\"\u{E9}\":1,\"e\u{301}\":2}",
        ]
    )
    func allowed(text: String) { #expect(Self.failure(of: text) == nil) }

    @Test(
        "what it does not is malformed",
        arguments: [
            "", " ", "{", "}", "[1,]", #"{"a":1,}"#, "[,1]", "[1 2]", #"{"a" 1}"#, #"{"a":}"#, #"{a:1}"#, "{,}", "01",
            "+1",
            "1.", ".5", "1e", "-", "0x1", "NaN", "Infinity", "tru", "truex", "\"\\x\"", "\"\\u12g4\"", "\"\\ud800\"",
            "\"\\udc00\\ud800\"", "\"a", "\"a\nb\"", "'a'", "[] []", "// c\n1", "\u{FEFF}\u{FEFF}1", "\u{A0}1", "\u{0}",
        ]
    )
    func malformed(text: String) { #expect(Self.failure(of: text) == .malformed) }

    @Test("a name that comes twice in one object is found at any depth, also in other words")
    func repeated() {
        #expect(Self.failure(of: #"{"a":1,"b":2,"a":3}"#) == .repeatedMember("a"))
        #expect(Self.failure(of: #"[{"x":{"é":1,"\u00e9":1}}]"#) == .repeatedMember("é"))
        #expect(Self.failure(of: #"{"😀":1,"\ud83d\ude00":1}"#) == .repeatedMember("😀"))
    }

    @Test("depth and bytes that are no UTF-8 are refused")
    func limits() {
        let deep = String(repeating: "[", count: 128) + String(repeating: "]", count: 128)
        #expect(Self.failure(of: deep) == nil)
        #expect(Self.failure(of: "[\(deep)]") == .tooDeep)
        #expect(Self.failure(of: String(repeating: "{\"a\":", count: 100_000)) == .tooDeep)
        #expect(Self.failure(of: [0x22, 0xC0, 0x80, 0x22]) == .notUTF8)
        #expect(Self.failure(of: [0xFF, 0xFE, 0x31, 0x00]) == .notUTF8)
    }

    @Test("Python's parser with the same rules agrees about 20,000 texts", arguments: [20_261_130 as UInt64])
    func sameAsPython(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let texts = (0..<20_000).map { _ in Self.mutated(Self.value(depth: 0, &random), &random) }
        let folder = try TemporaryDirectory()
        let lines = texts.map { Data($0.utf8).base64EncodedString() }.joined(separator: "\n")
        try Data(lines.utf8).write(to: URL(filePath: "\(folder.path)/texts"))
        try Data(Self.program.utf8).write(to: URL(filePath: "\(folder.path)/check.py"))
        let output = "\(folder.path)/verdicts"
        try ChildProcess.run(["python3", "\(folder.path)/check.py", "\(folder.path)/texts"], outputPath: output)
        let verdicts = String(decoding: try Data(contentsOf: URL(filePath: output)), as: UTF8.self)
            .split(separator: "\n")
        #expect(verdicts.count == texts.count)
        #expect(Set(verdicts).count == 2, "both verdicts come up")
        for (text, verdict) in zip(texts, verdicts) {
            #expect((Self.failure(of: text) == nil) == (verdict == "ok"), "\(text), seed \(seed)")
        }
    }

    private static let program = #"""
        import base64, json, sys

        def once(pairs):
            if len(dict(pairs)) < len(pairs):
                raise ValueError("twice")
            return dict(pairs)

        def no(word):
            raise ValueError(word)

        for line in open(sys.argv[1]):
            text = base64.b64decode(line).decode().removeprefix("\ufeff")
            try:
                value = json.loads(text, object_pairs_hook=once, parse_constant=no)
                # Half a surrogate pair cannot be encoded.
                json.dumps(value, ensure_ascii=False).encode()
                print("ok")
            except ValueError:
                print("no")
        """#

    private static func value(depth: Int, _ random: inout SeededRandom) -> String {
        let space = ["", "", " ", "\n\t", "\r "].randomElement(using: &random) ?? ""
        let names = ["a", "b", "\\u0061", "é", "\\u00e9", "", "\\n"]
        func some(_ make: (inout SeededRandom) -> String) -> String {
            (0..<Int.random(in: 0...3, using: &random)).map { _ in make(&random) }.joined(separator: ",")
        }
        switch Int.random(in: depth > 3 ? 3...8 : 0...8, using: &random) {
        case 0, 1:
            return "{" + some { "\"\(names.randomElement(using: &$0) ?? "")\"\(space):" + value(depth: depth + 1, &$0) }
                + "}"
        case 2: return "[" + some { value(depth: depth + 1, &$0) } + "\(space)]"
        case 3: return "\(space)\(Int.random(in: -20...20, using: &random))"
        case 4: return ["0.5", "-1e5", "1.25E-3", "0e+1"].randomElement(using: &random) ?? ""
        case 5: return ["true", "false", "null"].randomElement(using: &random) ?? ""
        case 6:
            return ["\"\\ud83d\\ude00\"", "\"\\\"\\\\\\/\"", "\"\\u2028\"", "\"é\u{2028}\""].randomElement(
                using: &random
            ) ?? ""
        case _: return "\"\(["x", "", "a b", "{", ","].randomElement(using: &random) ?? "")\"\(space)"
        }
    }

    /// As it is, or with a few bytes of the grammar added, removed or replaced.
    private static func mutated(_ text: String, _ random: inout SeededRandom) -> String {
        var scalars = Array(text.unicodeScalars)
        let pieces = Array("{}[],:\"\\0123456789.eE+-tfnu dD8\n\u{1}\u{FEFF}'/N".unicodeScalars)
        for _ in 0..<[0, 0, 1, 1, 2, 4][Int.random(in: 0..<6, using: &random)] {
            let place = Int.random(in: 0...scalars.count, using: &random)
            let piece = pieces.randomElement(using: &random) ?? " "
            switch Int.random(in: 0..<3, using: &random) {
            case 0: scalars.insert(piece, at: place)
            case 1 where place < scalars.count: scalars.remove(at: place)
            case _ where place < scalars.count: scalars[place] = piece
            case _: break
            }
        }
        return String(String.UnicodeScalarView(scalars))
    }
}

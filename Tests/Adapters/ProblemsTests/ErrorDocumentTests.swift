import FoundationEssentials
import Problems
import TestSupport
import Testing

@Suite("docs/errors.md", .tags(.integration))
struct ErrorDocumentTests {
    private static var path: String {
        let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        return "/\(root)/docs/errors.md"
    }

    @Test("the committed page is what the table generates; LEMMA_WRITE_DOCS=1 writes it anew")
    func committed() throws {
        let generated = ProblemCatalogue.document()
        if ProcessInfo.processInfo.environment["LEMMA_WRITE_DOCS"] == "1" {
            try generated.write(toFile: Self.path, atomically: true, encoding: .utf8)
        }
        let data = try #require(FileManager.default.contents(atPath: Self.path), "docs/errors.md is missing")
        #expect(String(decoding: data, as: UTF8.self) == generated)
    }
}

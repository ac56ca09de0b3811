import FoundationEssentials
import Settings
import TestSupport
import Testing

@Suite("Sources of settings", .tags(.unit))
struct SourceTests {
    @Test("a .env that is no UTF-8 is a mistake, a missing one is none")
    func file() throws {
        let path = FileManager.default.temporaryDirectory.appending(
            path: "lemma-dotenv-\(UInt64.random(in: 0 ... .max))"
        )
        defer { try? FileManager.default.removeItem(at: path) }
        #expect(try ProcessSources.dotEnv(at: path.path) == nil)
        try Data("A=1\n".utf8).write(to: path)
        #expect(try ProcessSources.dotEnv(at: path.path) == "A=1\n")
        try Data([0x41, 0x3D, 0xFF]).write(to: path)
        #expect(throws: InvalidSettings.self) { try ProcessSources.dotEnv(at: path.path) }
    }
}

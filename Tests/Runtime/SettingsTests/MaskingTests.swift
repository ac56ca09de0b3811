import TestSupport
import Testing

@testable import Settings

@Suite("Masking", .tags(.unit))
struct MaskingTests {
    @Test("a secret prints stars in every way but one")
    func secret() {
        let secret = Secret("hunter2")
        var dumped = ""
        dump([secret], to: &dumped)
        for text in ["\(secret)", String(reflecting: secret), String(describing: Optional(secret)), dumped] {
            #expect(!text.contains("hunter2"))
            #expect(text.contains("***"))
        }
        #expect(secret.reveal() == "hunter2")
    }

    @Test(
        "a URL is shown without its password",
        arguments: [
            ("redis://user:hunter2@h:6379/0", "redis://user:***@h:6379/0"), ("redis://:hunter2@h", "redis://:***@h"),
            ("redis://hunter2@h", "redis://***@h"), ("redis://h:6379/0", "redis://h:6379/0"),
            ("redis://u:hunter2/x@y@h", "redis://u:***@h"), ("u:hunter2@h", "u:***@h"),
            ("postgres:///db?user=u&password=hunter2", "postgres:///db?user=u&password=***"),
            ("redis://u:hunter2?x@h", "redis://***"),
            ("redis+sentinel://u:hunter2@h1:1,h2:2/master", "redis+sentinel://u:***@h1:1,h2:2/master"),
        ]
    )
    func url(url: String, shown: String) {
        #expect(Masking.url.apply(to: url) == shown)
        let wrapped = ConnectionURL(url)
        var dumped = ""
        dump(wrapped, to: &dumped)
        for text in ["\(wrapped)", String(reflecting: wrapped), dumped] { #expect(!text.contains("hunter2")) }
        #expect(wrapped.reveal() == url)
    }
}

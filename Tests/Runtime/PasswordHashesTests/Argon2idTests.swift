import PasswordHashes
import TestSupport
import Testing

@Suite("Argon2id", .tags(.unit))
struct Argon2idTests {
    private static let small = Argon2id.Cost(passes: 1, memoryKiB: 64)

    @Test("the recommended cost is two passes over 19 MiB, and the text says so")
    func recommended() throws {
        let text = try #require(Argon2id.hash("correct horse", cost: .recommended))
        #expect(text.hasPrefix("$argon2id$v=19$m=19456,t=2,p=1$"))
        #expect(Argon2id.verify("correct horse", against: text))
        #expect(!Argon2id.verify("correct horsf", against: text))
        #expect(!Argon2id.needsRehash(text, cost: .recommended))
    }

    @Test(
        "every byte of a password counts, also a zero",
        arguments: [
            ("", "\0"), ("a\0b", "a\0c"), ("a\0", "a"), ("ä", "a\u{308}"), (String(repeating: "x", count: 5000), "x"),
        ]
    )
    func bytes(one: String, other: String) throws {
        let text = try #require(Argon2id.hash(one, cost: Self.small))
        #expect(Argon2id.verify(one, against: text))
        #expect(!Argon2id.verify(other, against: text))
    }

    @Test("the same password has another digest each time")
    func salt() {
        #expect(Argon2id.hash("a", cost: Self.small) != Argon2id.hash("a", cost: Self.small))
    }

    @Test("a digest of another cost, algorithm or form needs to be made anew")
    func rehash() throws {
        let text = try #require(Argon2id.hash("a", cost: Self.small))
        #expect(!Argon2id.needsRehash(text, cost: Self.small))
        #expect(Argon2id.needsRehash(text, cost: Argon2id.Cost(passes: 2, memoryKiB: 64)))
        #expect(Argon2id.needsRehash(text, cost: Argon2id.Cost(passes: 1, memoryKiB: 128)))
        for other in [
            "", "$2b$12$x", text.replacing("argon2id", with: "argon2i"), text + String(repeating: "A", count: 100),
        ] {
            #expect(Argon2id.needsRehash(other, cost: Self.small), "\(other)")
            #expect(!Argon2id.verify("a", against: other), "\(other)")
        }
    }

    @Test("a text made of salt and digest is one that the library itself reads")
    func text() {
        let text = Argon2id.text(
            salt: [UInt8](repeating: 7, count: Argon2id.saltBytes),
            digest: [UInt8](repeating: 8, count: Argon2id.digestBytes),
            cost: Self.small,
        )
        #expect(text.hasPrefix("$argon2id$v=19$m=64,t=1,p=1$BwcHBwcHBwcHBwcHBwcHBw$"))
        // It is told apart from a text that cannot be read by its parameters.
        #expect(!Argon2id.needsRehash(text, cost: Self.small))
        #expect(!Argon2id.verify("", against: text))
    }
}

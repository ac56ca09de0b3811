import Cryptography
import TestSupport
import Testing

@Suite("Digests and codes", .tags(.unit))
struct DigestTests {
    @Test("SHA-256 gives the published digests")
    func sha256() {
        #expect(hex(SHA256.digest([])) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(hex(SHA256.digest("abc".utf8)) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            hex(SHA256.digest(repeatElement(UInt8(ascii: "a"), count: 1_000_000)))
                == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        )
    }

    /// RFC 4231, section 4; case 5 is about truncation, which is not offered.
    static let vectors: [(key: [UInt8], message: [UInt8], code: String)] = [
        (
            [UInt8](repeating: 0x0b, count: 20), Array("Hi There".utf8),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            [UInt8](repeating: 0xaa, count: 20), [UInt8](repeating: 0xdd, count: 50),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
        ),
        (
            Array(1...25), [UInt8](repeating: 0xcd, count: 50),
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"
        ),
        (
            [UInt8](repeating: 0xaa, count: 131), Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
    ]

    @Test("HMAC-SHA-256 gives the codes of RFC 4231", arguments: vectors.indices)
    func hmac(_ index: Int) {
        let vector = Self.vectors[index]
        var code = HMACSHA256.authenticate(vector.message, key: vector.key)
        #expect(hex(code) == vector.code)
        #expect(HMACSHA256.verify(code, of: vector.message, key: vector.key))
        #expect(!HMACSHA256.verify(Array(code.dropLast()), of: vector.message, key: vector.key))
        #expect(!HMACSHA256.verify([], of: vector.message, key: vector.key))
        code[31] ^= 1
        #expect(!HMACSHA256.verify(code, of: vector.message, key: vector.key))
    }

    @Test("HMAC takes an empty key and an empty message")
    func emptyHMAC() {
        let expected = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"
        #expect(hex(HMACSHA256.authenticate([], key: [])) == expected)
    }

    @Test("random bytes have the wanted length and do not repeat")
    func random() {
        #expect(SecureRandom.bytes(0).isEmpty)
        #expect(SecureRandom.bytes(32).count == 32)
        #expect(SecureRandom.bytes(32) != SecureRandom.bytes(32))
    }
}

@Suite("Base64 for URLs", .tags(.unit))
struct Base64URLTests {
    @Test(
        "gives the texts of RFC 4648 without padding",
        arguments: [
            ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE"),
            ("foobar", "Zm9vYmFy"),
        ],
    )
    func vectors(_ plain: String, _ text: String) {
        #expect(Base64URL.encode(plain.utf8) == text)
        #expect(Base64URL.decode(text) == Array(plain.utf8))
    }

    @Test("uses the alphabet for URLs and brings back every byte")
    func roundTrip() {
        #expect(Base64URL.encode([0xfb, 0xff, 0xfe]) == "-__-")
        for count in 0..<300 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37) }
            #expect(Base64URL.decode(Base64URL.encode(bytes)) == bytes)
        }
    }

    @Test(
        "refuses padding, other alphabets, lone characters and stray bits",
        arguments: ["Zg==", "+//+", "Z", "Zm9vY", "Zh", "Zm9", "Z g", "é"],
    )
    func refusals(_ text: String) {
        #expect(Base64URL.decode(text) == nil)
    }
}

func hex(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef")
    return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
}

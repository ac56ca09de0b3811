import Application
import Cryptography
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("Refresh tokens and API keys", .tags(.unit))
struct CredentialMintTests {
    private let mint = RandomCredentialMint()

    @Test("CRC-32 gives the check value of its definition")
    func checksum() {
        #expect(CRC32.checksum("123456789".utf8) == 0xCBF4_3926)
        #expect(CRC32.checksum([]) == 0)
    }

    @Test("an API key has prefix, 256 bits and checksum, and is read back as the digest that is stored")
    func keys() {
        var seen: Set<String> = []
        for _ in 0..<200 {
            let key = mint.apiKey()
            #expect(key.text.hasPrefix("lm_") && key.text.utf8.count == 52)
            #expect(key.text.dropFirst(3).allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) })
            #expect(mint.readAPIKey(key.text) == key.digest)
            #expect(key.digest == SHA256Fingerprinting().fingerprint(key.text))
            #expect(seen.insert(key.text).inserted)
        }
    }

    @Test("the same bits give the same text, also the least and the greatest number")
    func texts() {
        let least = APIKeyText.make([UInt8](repeating: 0, count: 32))
        #expect(least.hasPrefix("lm_" + String(repeating: "0", count: 43)))
        let greatest = APIKeyText.make([UInt8](repeating: 255, count: 32))
        for text in [least, greatest] { #expect(APIKeyText.isValid(text)) }
    }

    @Test("every wrong character, and every two that changed places, is noticed without a look-up")
    func typingErrors() {
        let text = Array(mint.apiKey().text)
        for index in text.indices {
            var wrong = text
            wrong[index] = wrong[index] == "a" ? "b" : "a"
            #expect(mint.readAPIKey(String(wrong)) == nil, "\(index)")
            guard index > 0, text[index] != text[index - 1] else { continue }
            var swapped = text
            swapped.swapAt(index, index - 1)
            #expect(mint.readAPIKey(String(swapped)) == nil, "\(index)")
        }
        let whole = String(text)
        for other in [
            "", "lm_", "x\(whole)", "\(whole)x", String(whole.dropLast()), "\(whole) ",
            whole.replacing("lm_", with: "LM_"),
        ] {
            #expect(mint.readAPIKey(other) == nil, "\(other)")
        }
    }

    @Test("a refresh token names its session and is read back as the digest that is stored")
    func refreshTokens() throws {
        let session = try #require(SessionID(TokenBench.session))
        let one = mint.refreshToken(of: session)
        let other = mint.refreshToken(of: session)
        #expect(one.text != other.text && one.text.utf8.count == 64)
        let read = try #require(mint.readRefreshToken(one.text))
        #expect(read.session == session && read.digest == one.digest && read.digest != other.digest)
        for wrong in ["", String(one.text.dropLast()), one.text + "A", one.text.dropLast() + "=", mint.apiKey().text] {
            #expect(mint.readRefreshToken(String(wrong)) == nil)
        }
        // A changed text may have the right form, but has another digest.
        let changed = String(one.text.dropLast()) + (one.text.hasSuffix("A") ? "B" : "A")
        #expect(mint.readRefreshToken(changed)?.digest != one.digest)
    }
}

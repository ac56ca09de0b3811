import Application
import Cryptography
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("Access tokens and key sets, fuzzed", .tags(.unit))
struct TokenFuzzTests {
    private static let time = TestTime()
    private static let tokens = AccessTokens(own: TokenBench.service(time), issuers: [])
    private static let good = TokenBench.hmac()

    private static let tokenMutation = Mutation(
        seeds: [
            good, TokenBench.hmac(#"{"typ":"at+jwt","alg":"HS256"}"#),
            TokenBench.hmac(#"{"alg":"none","typ":"at+jwt"}"#),
            "\(good.prefix { $0 != "." }).e30.", "..", "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.e30.AAAA",
        ],
        splices: [".", "..", "=", "A", "-", "_", "e30", "eyJ", "\u{0}", "é", "\n", " ", "bnVsbA"],
    )

    @Test("no damaged token is accepted, and none crashes the reader or grows the process")
    func tokens() async {
        let result = await Self.tokenMutation.run { bytes, _ in
            let text = String(decoding: bytes, as: UTF8.self)
            // What is accepted is the token that was signed, or the other one that was.
            let isKnown = text == Self.good || text == TokenBench.hmac(#"{"typ":"at+jwt","alg":"HS256"}"#)
            return isKnown || Self.tokens.check(text).token == nil
        }
        #expect(result.failed.isEmpty, "inputs \(result.failed)")
        #expect(result.growth < Mutation.growthMax)
    }

    private static let setMutation = Mutation(
        seeds: [
            #"{"keys":[{"kty":"EC","crv":"P-256","kid":"1","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","#
                + #""y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},"#
                + #"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","use":"sig"}]}"#,
            #"{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"},{},null,7]}"#, #"{"keys":{}}"#,
        ],
        splices: ["\"", "{", "}", "[", "]", ",", ":", "\\u0000", "A", "=", "null", #""kid":7,"#, #""use":"enc","#],
    )

    @Test("no damaged key set crashes the reader, and what it takes is bounded")
    func keySets() async {
        let result = await Self.setMutation.run { bytes, _ in (KeySet(bytes)?.count ?? 0) <= 64 }
        #expect(result.failed.isEmpty, "inputs \(result.failed)")
        #expect(result.growth < Mutation.growthMax)
    }
}

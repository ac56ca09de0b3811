import Application
import Cryptography
import Domain
import EventLoop
import TestSupport
import Testing

@testable import Infrastructure

@Suite("Tokens of external issuers", .tags(.integration))
struct IssuerTokenTests {
    @Test(
        "a token of each algorithm is accepted, with the user and the roles that it names",
        arguments: SignatureAlgorithm.allCases
    )
    func accepted(algorithm: SignatureAlgorithm) async throws {
        let key = try SigningKey(algorithm, id: "one")
        try await onLoop { loop in
            let issuer = try await ScriptedIssuer(on: loop, [key])
            defer { issuer.close() }
            let tokens = issuer.verifier()
            let text = try key.token(issuer.claims(["groups": #"["pupils","teachers"]"#]))
            #expect(tokens.check(text) == .undecided)
            let token = try await tokens.verify(text)
            #expect(token == VerifiedToken(subject: .issuer(issuer.name, subject: "ada"), roles: [.admin, .student]))
            #expect(tokens.check(text) == .valid(token), "the key is known now")
            #expect(issuer.requests == ["/.well-known/openid-configuration", "/keys"])
        }
    }

    @Test("kinds, audiences and roles come in the forms that issuers have")
    func forms() async throws {
        let key = try SigningKey(.es256, id: "one")
        try await onLoop { loop in
            let issuer = try await ScriptedIssuer(on: loop, [key])
            defer { issuer.close() }
            let tokens = issuer.verifier()
            let headers = [
                #"{"alg":"ES256","kid":"one","typ":"JWT"}"#, #"{"alg":"ES256","kid":"one","typ":"jwt"}"#,
                #"{"alg":"ES256","kid":"one","typ":"application/at+jwt"}"#, #"{"alg":"ES256","kid":"one"}"#,
                #"{"alg":"ES256"}"#,
            ]
            for header in headers {
                let text = try key.token(issuer.claims(["aud": #"["other","api"]"#, "nbf": nil]), header: header)
                #expect(await tokens.failure(text) == nil, "\(header)")
            }
            for header in [
                #"{"alg":"ES256","kid":"one","typ":"logout+jwt"}"#, #"{"alg":"ES256","kid":"one","typ":"dpop+jwt"}"#,
            ] {
                #expect(tokens.check(try key.token(issuer.claims(), header: header)).fault == .kind, "\(header)")
            }
            let single = try await tokens.verify(try key.token(issuer.claims(["groups": #""teachers""#])))
            #expect(single.roles == [.admin, .student])
            for groups in [nil, #"["admin"]"#, "7", #"{"teachers":1}"#, #"["teachers",7]"#] {
                let token = try await tokens.verify(try key.token(issuer.claims(["groups": groups])))
                #expect(token.roles == [.student], "\(groups ?? "none")")
            }
            let nested = issuer.verifier {
                IssuerRules(
                    name: $0.name,
                    audience: $0.audience,
                    userClaim: "email",
                    rolesClaim: "realm_access.roles",
                    roleNames: ["boss": .admin],
                )
            }
            let claims = issuer.claims(["realm_access": #"{"roles":["boss"]}"#, "email": #""a@b""#])
            let token = try await nested.verify(try key.token(claims))
            #expect(token == VerifiedToken(subject: .issuer(issuer.name, subject: "a@b"), roles: [.admin, .student]))
        }
    }

    @Test("claims are checked as the configuration says, with a minute for clocks that differ")
    func claims() async throws {
        let key = try SigningKey(.edDSA, id: "one")
        try await onLoop { loop in
            let issuer = try await ScriptedIssuer(on: loop, [key])
            defer { issuer.close() }
            let tokens = issuer.verifier()
            let now = TestTime.start
            let long = "\"\(String(repeating: "x", count: 256))\""
            let cases: [([String: String?], AccessTokenFault?)] = [
                (["aud": #""other""#], .audience), (["aud": nil], .audience), (["aud": #""lemma""#], .audience),
                (["exp": nil], .claims), (["exp": "\(now - 59)"], nil), (["exp": "\(now - 60)"], .expired),
                (["nbf": "\(now + 60)"], nil), (["nbf": "\(now + 61)"], .notYetValid), (["sub": nil], .claims),
                (["sub": #""""#], .claims), (["sub": "7"], .claims), (["sub": long], .claims),
                (["sub": #""a\u0000""#], .claims),
                (["exp": "\(now).5"], nil),
            ]
            for (changes, fault) in cases {
                let failure = await tokens.failure(try key.token(issuer.claims(changes)))
                #expect(failure == fault.map { .invalid($0) }, "\(changes)")
            }
        }
    }

    @Test("no trick with algorithm, key or issuer makes a foreign token acceptable")
    func attacks() async throws {
        let (rsa, curve, stranger) = (
            try SigningKey(.rs256, id: "r"), try SigningKey(.es256, id: "e"), try SigningKey(.es256, id: "e")
        )
        try await onLoop { loop in
            let issuer = try await ScriptedIssuer(on: loop, [rsa, curve])
            defer { issuer.close() }
            let tokens = issuer.verifier()
            let claims = issuer.claims()
            #expect(await tokens.failure(try rsa.token(claims)) == nil)
            // HMAC with what everybody knows: the public key, in several forms.
            for secret in [Array(rsa.jwk.utf8), Array(rsa.members.utf8), []] {
                for header in [#"{"alg":"HS256","typ":"at+jwt","kid":"r"}"#, #"{"alg":"HS256","typ":"at+jwt"}"#] {
                    #expect(tokens.check(TokenBench.hmac(header, claims, key: secret)).fault != nil)
                }
            }
            // Lemma's own secret does not sign for the issuer, nor the issuer's key for Lemma.
            #expect(tokens.check(TokenBench.hmac(#"{"alg":"HS256","typ":"JWT"}"#, claims)).fault == .algorithm)
            #expect(tokens.check(TokenBench.hmac(TokenBench.header, claims)).fault == .issuer)
            #expect(tokens.check(try rsa.token(TokenBench.claims())).fault == .algorithm)
            let message =
                "\(TokenBench.encoded(#"{"alg":"ES256","typ":"at+jwt","kid":"e"}"#)).\(TokenBench.encoded(claims))"
            for signature in [
                [], [UInt8](repeating: 0, count: 64), try stranger.sign(message), try curve.sign(message) + [0],
            ] {
                let text = "\(message).\(Base64URL.encode(signature))"
                #expect(await tokens.failure(text) == .invalid(.signature), "\(signature.count)")
            }
            for alg in ["none", "None", "ES384", "RS512", "PS256", "HS256"] {
                let header = #"{"alg":"\#(alg)","typ":"at+jwt","kid":"e"}"#
                #expect(tokens.check(try curve.token(claims, header: header)).fault == .algorithm, "\(alg)")
            }
            // The key of one algorithm under the name of the other.
            let crossed = #"{"alg":"RS256","typ":"at+jwt","kid":"e"}"#
            #expect(await tokens.failure(try curve.token(claims, header: crossed)) == .invalid(.key))
            for member in [
                #""jwk":\#(stranger.jwk)"#, #""jku":"\#(issuer.name)/evil""#, #""x5u":"\#(issuer.name)/evil""#,
            ] {
                let header = #"{"alg":"ES256","typ":"at+jwt","kid":"e",\#(member)}"#
                #expect(tokens.check(try stranger.token(claims, header: header)).fault == .header, "\(member)")
            }
            #expect(!issuer.requests.contains("/evil"))
        }
    }

    @Test("each issuer's tokens are checked with its own keys and rules alone")
    func confusion() async throws {
        let (one, two) = (try SigningKey(.es256, id: "k"), try SigningKey(.es256, id: "k"))
        try await onLoop { loop in
            let (first, second) = (try await ScriptedIssuer(on: loop, [one]), try await ScriptedIssuer(on: loop, [two]))
            defer {
                first.close()
                second.close()
            }
            let rules: (IssuerRules) -> IssuerRules = { IssuerRules(name: $0.name, audience: ["second"]) }
            let tokens = AccessTokens(
                own: TokenBench.service(first.time),
                issuers: [first.external(), second.external(rules)]
            )
            #expect(await tokens.failure(try one.token(first.claims())) == nil)
            #expect(await tokens.failure(try two.token(second.claims(["aud": #""second""#]))) == nil)
            #expect(await tokens.failure(try two.token(first.claims())) == .invalid(.signature))
            #expect(await tokens.failure(try one.token(second.claims(["aud": #""second""#]))) == .invalid(.signature))
            #expect(await tokens.failure(try two.token(second.claims())) == .invalid(.audience))
            let name = "\"\(first.name)/\""
            #expect(await tokens.failure(try one.token(first.claims(["iss": name]))) == .invalid(.issuer))
            let both = "[\"\(first.name)\"]"
            #expect(await tokens.failure(try one.token(first.claims(["iss": both]))) == .invalid(.issuer))
        }
    }

    @Test("an algorithm that the configuration does not name is refused although the key is known")
    func configuredAlgorithms() async throws {
        let (rsa, curve) = (try SigningKey(.rs256, id: "r"), try SigningKey(.es256, id: "e"))
        try await onLoop { loop in
            let issuer = try await ScriptedIssuer(on: loop, [rsa, curve])
            defer { issuer.close() }
            let tokens = issuer.verifier { IssuerRules(name: $0.name, audience: $0.audience, algorithms: [.rs256]) }
            #expect(await tokens.failure(try rsa.token(issuer.claims())) == nil)
            #expect(await tokens.failure(try curve.token(issuer.claims())) == .invalid(.algorithm))
        }
    }
}

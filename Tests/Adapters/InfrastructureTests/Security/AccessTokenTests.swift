import Application
import Cryptography
import Domain
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("Access tokens of Lemma's own", .tags(.unit))
struct AccessTokenTests {
    private let time = TestTime()
    private var tokens: AccessTokens { AccessTokens(own: TokenBench.service(time), issuers: []) }

    @Test("an issued token has exactly the header and the claims that are promised, and is accepted")
    func issued() throws {
        let session = try #require(SessionID(TokenBench.session))
        let service = TokenBench.service(time)
        let issued = service.issue(for: TokenBench.account([.student, .admin]), in: session)
        #expect(issued.expiresIn == .seconds(900))
        let parts = issued.text.split(separator: ".").compactMap { Base64URL.decode($0) }
        #expect(String(decoding: parts[0], as: UTF8.self) == TokenBench.header)
        let claims = try #require(StrictObject(parts[1]))
        #expect(Set(claims.names) == ["iss", "aud", "sub", "roles", "sid", "iat", "nbf", "exp", "jti"])
        #expect(claims.string("iss") == "lemma" && claims.string("aud") == "lemma")
        #expect(claims.time("exp") == Timestamp(milliseconds: (TestTime.start + 900) * 1000))
        let verified = try #require(tokens.check(issued.text).token)
        let account = try #require(AccountID(TokenBench.account))
        #expect(verified == VerifiedToken(subject: .account(account, session), roles: [.student, .admin]))
        #expect(service.issue(for: TokenBench.account(), in: session).text != issued.text, "each has an id of its own")
    }

    @Test("another token that means the same is accepted, and a role of a later release has no effect")
    func sameMeaning() throws {
        let header = #"{ "typ" : "application/at+jwt", "alg":"HS256" }"#
        let claims = TokenBench.claims(["aud": #"["x","lemma"]"#, "roles": #"["admin","dean"]"#, "new": "{}"])
        #expect(tokens.check(TokenBench.hmac(header, claims)).token?.roles == [.student, .admin])
    }

    @Test("a token is valid from its beginning to its end, with five seconds for clocks that differ")
    func times() throws {
        let session = try #require(SessionID(TokenBench.session))
        let text = TokenBench.service(time).issue(for: TokenBench.account(), in: session).text
        for (second, fault): (Int64, AccessTokenFault?) in [
            (-6, .notYetValid), (-5, nil), (0, nil), (899, nil), (904, nil), (905, .expired), (1_000_000, .expired),
        ] {
            time.set(TestTime.start + second)
            #expect(tokens.check(text).fault == fault, "\(second)")
        }
    }

    @Test("a rotated secret still verifies until it is removed")
    func rotation() throws {
        let other = Array("another secret of at least thirty-two bytes".utf8)
        let session = try #require(SessionID(TokenBench.session))
        let old = TokenBench.service(time).issue(for: TokenBench.account(), in: session).text
        func check(_ secrets: [[UInt8]], _ text: String) -> AccessTokenFault? {
            AccessTokens(own: TokenBench.service(time, secrets: secrets), issuers: []).check(text).fault
        }
        #expect(check([other, TokenBench.secret], old) == nil)
        #expect(check([other], old) == .signature)
        let new = TokenBench.service(time, secrets: [other, TokenBench.secret])
            .issue(for: TokenBench.account(), in: session).text
        #expect(check([other], new) == nil && check([TokenBench.secret], new) == .signature)
    }

    @Test(
        "every claim is needed and has its form",
        arguments: [
            ("iss", nil, AccessTokenFault.issuer), ("iss", #""other""#, .issuer), ("iss", "7", .issuer),
            ("iss", #""lemma ""#, .issuer), ("aud", nil, .audience), ("aud", #""other""#, .audience),
            ("aud", "[]", .audience), ("aud", #"["lemma",1]"#, .audience), ("aud", #"{"lemma":1}"#, .audience),
            ("sub", nil, .claims), ("sub", #""ada""#, .claims), ("sub", "1", .claims), ("sid", nil, .claims),
            ("sid", #""1""#, .claims), ("exp", nil, .claims), ("exp", #""1895253400""#, .claims),
            ("exp", "1e400", .claims),
            ("exp", "true", .claims), ("exp", "0", .expired), ("exp", "-1", .expired), ("exp", "null", .claims),
            ("nbf", #""0""#, .claims), ("nbf", "1795253406", .notYetValid), ("roles", nil, .claims),
            ("roles", "7", .claims), ("roles", #"[["admin"]]"#, .claims),
        ] as [(String, String?, AccessTokenFault)]
    )
    func claims(name: String, value: String?, fault: AccessTokenFault) {
        #expect(tokens.check(TokenBench.hmac(TokenBench.header, TokenBench.claims([name: value]))).fault == fault)
    }
}

@Suite("Attacks on access tokens", .tags(.unit))
struct TokenAttackTests {
    private let time = TestTime()
    private var tokens: AccessTokens { AccessTokens(own: TokenBench.service(time), issuers: []) }

    @Test(
        "no algorithm but the configured one is taken, whatever the token says",
        arguments: ["none", "None", "NONE", "nOnE", "HS384", "HS512", "hs256", "RS256", "ES256", "EdDSA", "", "HS256 "]
    )
    func algorithms(name: String) {
        let header = #"{"alg":"\#(name)","typ":"at+jwt"}"#
        let unsigned = "\(TokenBench.encoded(header)).\(TokenBench.encoded(TokenBench.claims()))."
        #expect(tokens.check(unsigned).fault != nil)
        #expect(tokens.check(TokenBench.hmac(header)).fault == .algorithm)
        #expect(tokens.check(unsigned + "AA").fault == .algorithm)
    }

    @Test("a stripped, empty, short, long or foreign signature is refused")
    func signatures() {
        let good = TokenBench.hmac()
        #expect(tokens.check(good).fault == nil)
        let message = good.split(separator: ".").prefix(2).joined(separator: ".")
        let code = HMACSHA256.authenticate(message.utf8, key: TokenBench.secret)
        let wrong: [[UInt8]] = [
            [], Array(code.dropLast()), code + [0], [UInt8](repeating: 0, count: 32),
            HMACSHA256.authenticate(message.utf8, key: []), HMACSHA256.authenticate(message.utf8, key: [0]),
            HMACSHA256.authenticate(TokenBench.claims().utf8, key: TokenBench.secret),
        ]
        for signature in wrong {
            #expect(tokens.check("\(message).\(Base64URL.encode(signature))").fault == .signature)
        }
        let other = TokenBench.hmac(TokenBench.header, TokenBench.claims(["sub": #""\#(TokenBench.session)""#]))
        let parts = (good.split(separator: "."), other.split(separator: "."))
        #expect(tokens.check("\(parts.0[0]).\(parts.1[1]).\(parts.0[2])").fault == .signature)
    }

    @Test("each changed character is noticed")
    func changes() {
        let good = Array(TokenBench.hmac().utf8)
        for position in good.indices {
            var changed = good
            changed[position] = changed[position] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            #expect(tokens.check(String(decoding: changed, as: UTF8.self)).fault != nil, "position \(position)")
        }
    }

    @Test(
        "a header member that chooses a key, a check or an encoding is refused although the signature is right",
        arguments: [
            #""crit":["exp"]"#, #""crit":[]"#, #""b64":false"#, #""zip":"DEF""#, #""jku":"https://evil.example/keys""#,
            #""jwk":{"kty":"oct","k":"AA"}"#, #""x5u":"https://evil.example/c""#, #""x5c":["AA"]"#, #""x5t":"AA""#,
            #""x5t#S256":"AA""#, #""kid":"../../../dev/null""#, #""kid":"' OR 1=1 --""#, #""enc":"A256GCM""#,
            #""cty":"JWT""#,
        ]
    )
    func headers(member: String) {
        let header = #"{"alg":"HS256","typ":"at+jwt",\#(member)}"#
        #expect(tokens.check(TokenBench.hmac(header)).fault == .header)
    }

    @Test(
        "a token of another kind is no access token",
        arguments: [
            #"{"alg":"HS256"}"#, #"{"alg":"HS256","typ":"JWT"}"#, #"{"alg":"HS256","typ":"rt+jwt"}"#,
            #"{"alg":"HS256","typ":"secevent+jwt"}"#, #"{"alg":"HS256","typ":"at+jwt "}"#, #"{"alg":"HS256","typ":""}"#,
        ]
    )
    func kinds(header: String) {
        #expect(tokens.check(TokenBench.hmac(header)).fault == .kind)
    }

    @Test("a refresh token, an API key and a ticket are no access tokens")
    func otherCredentials() {
        let mint = RandomCredentialMint()
        let session = SessionID(bits: UUIDBits(high: 1, low: 2))
        let tickets = SignedTicketService(secrets: [TokenBench.secret], lifetime: .seconds(60), clock: time)
        let ticket = tickets.issueTicket(
            for: CorrelationID(bits: UUIDBits(high: 1, low: 2)),
            user: .anonymous,
            key: nil
        )
        for text in [mint.refreshToken(of: session).text, mint.apiKey().text, ticket] {
            #expect(tokens.check(text).fault == .malformed, "\(text)")
        }
    }

    @Test("repeated members are refused in header and claims, also where one of them is escaped")
    func repeated() {
        for header in [
            #"{"alg":"HS256","typ":"at+jwt","alg":"HS256"}"#, #"{"alg":"none","alg":"HS256","typ":"at+jwt"}"#,
            #"{"alg":"HS256","typ":"at+jwt","\u0061lg":"none"}"#,
        ] {
            #expect(tokens.check(TokenBench.hmac(header)).fault == .malformed, "\(header)")
        }
        for member in [#""sub":"x""#, #""exp":9999999999"#, #""\u0073ub":"x""#, #""roles":["admin"]"#] {
            let claims = TokenBench.claims().dropLast() + ",\(member)}"
            #expect(tokens.check(TokenBench.hmac(TokenBench.header, String(claims))).fault == .malformed, "\(member)")
        }
    }

    @Test("a token has exactly three segments in base64url, each in its one encoding")
    func segments() {
        let good = TokenBench.hmac()
        let parts = good.split(separator: ".").map(String.init)
        let standard = good.replacing("-", with: "+").replacing("_", with: "/")
        var wrong = [
            "", ".", "..", "...", "a.b.c", parts[0], "\(parts[0]).\(parts[1])", "\(good).", ".\(good)",
            "\(good).\(parts[2])",
            "\(good)=", "\(parts[0])=.\(parts[1]).\(parts[2])", "\(parts[0])..\(parts[2])", ".\(parts[1]).\(parts[2])",
            " \(good)", "\(good) ", "\(good)\n", "\(parts[0]).\n\(parts[1]).\(parts[2])", "\(good)\0",
            "\(parts[0]).\(parts[1]).\(parts[2])A", "bnVsbA.\(parts[1]).\(parts[2])", "W10.\(parts[1]).\(parts[2])",
        ]
        if standard != good { wrong.append(standard) }
        for text in wrong { #expect(tokens.check(text).fault != nil, "\(text)") }
    }

    @Test(
        "header and claims are JSON objects by the grammar",
        arguments: [
            "null", "[]", "7", "", "{", #"{"alg":"HS256","typ":"at+jwt",}"#, "{'alg':'HS256'}", "\u{FEFF}{}", "{}{}",
        ]
    )
    func grammar(text: String) {
        #expect(tokens.check(TokenBench.hmac(text)).fault == .malformed)
        #expect(tokens.check(TokenBench.hmac(TokenBench.header, text)).fault == .malformed)
    }

    @Test("a token of more than 8 KiB is refused unread")
    func huge() {
        let filler = String(repeating: "x", count: 9000)
        #expect(
            tokens.check(TokenBench.hmac(TokenBench.header, TokenBench.claims(["x": #""\#(filler)""#]))).fault
                == .tooLong
        )
        #expect(tokens.check(filler).fault == .tooLong)
        let nested = String(repeating: "[", count: 3000) + String(repeating: "]", count: 3000)
        #expect(tokens.check(TokenBench.hmac(TokenBench.header, TokenBench.claims(["x": nested]))).fault != nil)
    }

    @Test("without a configured issuer, a token of any other issuer is rejected, whatever its signature")
    func foreignIssuer() {
        let claims = TokenBench.claims(["iss": #""https://issuer.example""#])
        #expect(tokens.check(TokenBench.hmac(TokenBench.header, claims)).fault == .issuer)
        #expect(tokens.check(TokenBench.hmac(#"{"alg":"RS256","kid":"a"}"#, claims)).fault == .issuer)
    }
}

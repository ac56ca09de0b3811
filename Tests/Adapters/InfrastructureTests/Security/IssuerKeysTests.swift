import Application
import Cryptography
import EventLoop
import TestSupport
import Testing

@testable import Infrastructure

@Suite("Keys of external issuers", .tags(.integration))
struct IssuerKeysTests {
    @Test("callers with an unknown key cause one attempt together, and one in ten seconds at most")
    func attempts() async throws {
        let (key, other) = (try SigningKey(.es256, id: "one"), try SigningKey(.es256, id: "two"))
        try await onLoop { loop in
            let issuer = try await ScriptedIssuer(on: loop, [key])
            defer { issuer.close() }
            let tokens = issuer.verifier()
            let (good, unknown) = (try key.token(issuer.claims()), try other.token(issuer.claims()))
            var failures: [AccessTokenFailure?] = []
            let tasks = (0..<10).map { number in
                loop.spawn { failures.append(await tokens.failure(number % 2 == 0 ? good : unknown)) }
            }
            for task in tasks { await task.value }
            #expect(issuer.requests.count == 2 && failures.filter { $0 == nil }.count == 5)
            #expect(failures.filter { $0 == .invalid(.key) }.count == 5)
            for _ in 0..<20 { #expect(await tokens.failure(unknown) == .invalid(.key)) }
            #expect(issuer.requests.count == 2)
            issuer.moment.advance(by: .seconds(10))
            for _ in 0..<20 { #expect(await tokens.failure(unknown) == .invalid(.key)) }
            #expect(issuer.requests.count == 4)
        }
    }

    @Test("after a rotation the new key is accepted at its first token, and the old one no more")
    func rotation() async throws {
        let (old, new) = (try SigningKey(.rs256, id: "old"), try SigningKey(.rs256, id: "new"))
        try await onLoop { loop in
            let issuer = try await ScriptedIssuer(on: loop, [old])
            defer { issuer.close() }
            let tokens = issuer.verifier()
            let (before, after) = (try old.token(issuer.claims()), try new.token(issuer.claims()))
            #expect(await tokens.failure(before) == nil)
            issuer.moment.advance(by: .seconds(60))
            issuer.keys = ScriptedIssuer.set([new.jwk])
            #expect(await tokens.failure(before) == nil, "not fetched again yet")
            #expect(await tokens.failure(after) == nil)
            #expect(await tokens.failure(before) == .invalid(.key))
        }
    }

    @Test("a token without the name of a key is accepted after a rotation, too, and a forged one is not")
    func namelessRotation() async throws {
        let (old, new) = (try SigningKey(.es256, id: nil), try SigningKey(.es256, id: nil))
        try await onLoop { loop in
            let issuer = try await ScriptedIssuer(on: loop, [old])
            defer { issuer.close() }
            let tokens = issuer.verifier()
            let (before, after) = (try old.token(issuer.claims()), try new.token(issuer.claims()))
            #expect(await tokens.failure(before) == nil)
            #expect(await tokens.failure(after) == .invalid(.signature))
            issuer.keys = ScriptedIssuer.set([new.jwk])
            issuer.moment.advance(by: .seconds(10))
            #expect(await tokens.failure(after) == nil)
            #expect(await tokens.failure(before) == .invalid(.signature))
        }
    }

    @Test("while the issuer is away known keys stay in use for a day, and an unknown one cannot be decided")
    func outage() async throws {
        let (key, other) = (try SigningKey(.es256, id: "one"), try SigningKey(.es256, id: "two"))
        try await onLoop { loop in
            let issuer = try await ScriptedIssuer(on: loop, [key])
            defer { issuer.close() }
            let tokens = issuer.verifier()
            let (good, unknown) = (try key.token(issuer.claims()), try other.token(issuer.claims()))
            issuer.response = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            #expect(await tokens.failure(good) == .keysUnavailable, "never fetched")
            issuer.response = nil
            #expect(await tokens.failure(good) == .keysUnavailable, "not tried again at once")
            issuer.moment.advance(by: .seconds(10))
            #expect(await tokens.failure(good) == nil)
            issuer.response = "nonsense"
            issuer.moment.advance(by: .seconds(23 * 3600))
            #expect(await tokens.failure(unknown) == .keysUnavailable)
            #expect(await tokens.failure(unknown) == .keysUnavailable)
            #expect(await tokens.failure(good) == nil)
            issuer.moment.advance(by: .seconds(3600))
            #expect(await tokens.failure(good) == .keysUnavailable)
        }
    }

    @Test("a silent issuer costs no more than the limit, and nothing for a token whose key is known")
    func silence() async throws {
        let (key, other) = (try SigningKey(.es256, id: "one"), try SigningKey(.es256, id: "two"))
        try await onLoop { loop in
            let issuer = try await ScriptedIssuer(on: loop, [key])
            defer { issuer.close() }
            let tokens = issuer.verifier(limit: .milliseconds(300))
            let (good, unknown) = (try key.token(issuer.claims()), try other.token(issuer.claims()))
            #expect(await tokens.failure(good) == nil)
            issuer.moment.advance(by: .seconds(10))
            issuer.isSilent = true
            let waiting = loop.spawn { #expect(await tokens.failure(unknown) == .keysUnavailable) }
            try await eventually("the attempt", on: loop) { issuer.requests.count == 3 }
            #expect(tokens.check(good).token != nil)
            await waiting.value
        }
    }

    @Test("what is fetched in the background is there before the first token")
    func background() async throws {
        let key = try SigningKey(.es256, id: "one")
        try await onLoop { loop in
            let issuer = try await ScriptedIssuer(on: loop, [key])
            defer { issuer.close() }
            let external = issuer.external()
            external.keys.start()
            try await eventually("the keys", on: loop) { !external.keys.present.isEmpty }
            external.keys.close()
            let tokens = AccessTokens(own: TokenBench.service(issuer.time), issuers: [external])
            #expect(tokens.check(try key.token(issuer.claims())).token != nil)
        }
    }

    @Test(
        "answers that are no key set of this issuer are not taken",
        arguments: [
            ("", "HTTP/1.1 302 Found\r\nLocation: /.well-known/keys\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
            ("", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
            ("", ScriptedIssuer.ok("[]")), ("", ScriptedIssuer.ok("{}")), ("", ScriptedIssuer.ok(#"{"keys":{}}"#)),
            ("", ScriptedIssuer.ok(#"{"keys":[],"keys":[]}"#)), ("", ScriptedIssuer.ok("<html>")),
            ("", "long"),
            (#"{"issuer":"https://other.example","jwks_uri":"NAME/keys"}"#, ""), (#"{"jwks_uri":"NAME/keys"}"#, ""),
            (#"{"issuer":"NAME/","jwks_uri":"NAME/keys"}"#, ""), (#"{"issuer":"NAME"}"#, ""), ("[]", ""),
            (#"{"issuer":"NAME","jwks_uri":"http://192.0.2.1/keys"}"#, ""),
            (#"{"issuer":"NAME","jwks_uri":"file:///etc/passwd"}"#, ""),
            (#"{"issuer":"NAME","jwks_uri":"NAME/keys","jwks_uri":"NAME/keys"}"#, ""),
        ]
    )
    func refusedAnswers(metadata: String, response: String) async throws {
        try await onLoop { loop in
            let issuer = try await ScriptedIssuer(on: loop, [])
            defer { issuer.close() }
            if !metadata.isEmpty { issuer.metadata = metadata.replacing("NAME", with: issuer.name) }
            if response == "long" {
                issuer.keys = #"{"keys":[]}"# + String(repeating: " ", count: 256 * 1024)
            } else if !response.isEmpty {
                issuer.response = response
            }
            let keys = issuer.external().keys
            #expect(await !keys.refresh())
            #expect(keys.present.isEmpty)
            let expected =
                metadata.isEmpty
                ? ["/.well-known/openid-configuration", "/keys"] : ["/.well-known/openid-configuration"]
            #expect(issuer.requests == expected, "no redirect is followed")
        }
    }

    @Test("garbage among the keys is ignored; two keys of one name are both tried")
    func garbage() async throws {
        let (key, twin) = (try SigningKey(.es256, id: "one"), try SigningKey(.es256, id: "one"))
        let (short, unnamed) = (try SigningKey(.rs256, id: "short", rsaBits: 1024), try SigningKey(.edDSA, id: nil))
        try await onLoop { loop in
            let issuer = try await ScriptedIssuer(on: loop, [])
            defer { issuer.close() }
            let point = #""kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA""#
            issuer.keys = ScriptedIssuer.set([
                "null", "7", "{}", "[]", "{\(point)}", #"{"kty":"oct","k":"AAAA","kid":"one"}"#,
                #"{"kty":"RSA","n":"AQAB"}"#,
                #"{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}"#, "{\(key.members),\"kid\":7}",
                "{\(key.members),\"kid\":\"enc\",\"use\":\"enc\"}",
                "{\(key.members),\"kid\":\"ops\",\"key_ops\":[\"sign\"]}",
                "{\(key.members),\"kid\":\"alg\",\"alg\":\"ES512\"}", short.jwk, twin.jwk, key.jwk, unnamed.jwk,
            ])
            let tokens = issuer.verifier()
            #expect(await tokens.failure(try key.token(issuer.claims())) == nil)
            #expect(await tokens.failure(try twin.token(issuer.claims())) == nil)
            #expect(await tokens.failure(try unnamed.token(issuer.claims())) == nil, "the one key of its algorithm")
            for id in ["enc", "ops", "alg"] {
                let text = try key.token(issuer.claims(), header: #"{"alg":"ES256","kid":"\#(id)"}"#)
                #expect(await tokens.failure(text) == .invalid(.key), "\(id)")
            }
            #expect(await tokens.failure(try short.token(issuer.claims())) == .invalid(.key))
            let nameless = try key.token(issuer.claims(), header: #"{"alg":"ES256"}"#)
            #expect(await tokens.failure(nameless) == .invalid(.key), "there are two")
        }
    }

    @Test("a configured address is used without discovery")
    func configuredAddress() async throws {
        let key = try SigningKey(.es256, id: "one")
        try await onLoop { loop in
            let issuer = try await ScriptedIssuer(on: loop, [key])
            defer { issuer.close() }
            let tokens = issuer.verifier {
                IssuerRules(name: "my issuer", audience: $0.audience, keysURL: "\($0.name)/elsewhere?x=1")
            }
            #expect(await tokens.failure(try key.token(issuer.claims(["iss": #""my issuer""#]))) == nil)
            #expect(issuer.requests == ["/elsewhere?x=1"])
        }
    }
}

@Suite("What is known of an issuer's keys", .tags(.unit))
struct KeySetStateTests {
    @Test("keys that left the set are out of use within five minutes, the time of a fetch included")
    func periods() {
        var state = KeySetState()
        #expect(state.usable(at: .zero).isEmpty && state.mayAttempt(at: .zero))
        state.begin(at: .zero)
        state.fail()
        #expect(state.pause == .seconds(15) && !state.mayAttempt(at: .seconds(9)) && state.mayAttempt(at: .seconds(10)))
        state.succeed(.empty, at: .seconds(20))
        #expect(state.isPresent && state.pause + .seconds(5) < .seconds(300))
    }
}

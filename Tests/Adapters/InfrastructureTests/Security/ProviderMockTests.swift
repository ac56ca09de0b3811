import Application
import Cryptography
import Domain
import EventLoop
import HTTPClient
import TestSupport
import Testing

@testable import Infrastructure

@Suite("A provider that others wrote", .tags(.integration))
struct ProviderMockTests {
    /// What a process that trusts the provider has.
    private final class Bench {
        let transport: HTTPTransport
        let keys: IssuerKeys
        let tokens: AccessTokens
        let moment = TestMoment()

        init(_ provider: OpenIDProvider, on loop: Loop) {
            transport = HTTPTransport(on: loop)
            let rules = IssuerRules(name: provider.issuer, audience: ["app"], algorithms: [.rs256])
            keys = IssuerKeys(rules, transport: transport, logger: .disabled, limit: .seconds(2), now: moment.now)
            let clock = SystemClock()
            let own = SignedAccessTokens(
                secrets: [TokenBench.secret],
                issuer: "lemma",
                audience: "lemma",
                lifetime: .seconds(60),
                clock: clock,
            )
            tokens = AccessTokens(own: own, issuers: [ExternalIssuer(rules, keys: keys, clock: clock)])
        }
    }

    @Test("its users are known by its tokens, through rotation of its key, outage and silence")
    func life() async throws {
        try await onLoop { loop in
            var provider = try OpenIDProvider.start()
            defer { provider.stop() }
            let bench = Bench(provider, on: loop)
            defer { bench.transport.close() }
            let first = try provider.token(of: "ada", for: "app")
            let verified = try await bench.tokens.verify(first)
            #expect(verified == VerifiedToken(subject: .issuer(provider.issuer, subject: "ada"), roles: [.student]))
            let other = try provider.token(of: "ada", for: "other")
            #expect(await bench.tokens.failure(other) == .invalid(.audience))

            // Outage: known keys stay in use.
            provider.stop()
            bench.moment.advance(by: .seconds(10))
            #expect(await !bench.keys.refresh())
            #expect(await bench.tokens.failure(first) == nil)

            // Rotation: after its next start it has another key.
            provider = try OpenIDProvider.start(port: provider.port)
            let second = try provider.token(of: "grace", for: "app")
            bench.moment.advance(by: .seconds(10))
            #expect(await bench.tokens.failure(second) == nil)
            bench.moment.advance(by: .seconds(10))
            let old = await bench.tokens.failure(first)
            #expect(old == .invalid(.key) || old == .invalid(.signature), "its key is not the provider's any more")

            // Silence: a known key costs no waiting, and an attempt no more than its limit.
            provider.suspend()
            bench.moment.advance(by: .seconds(10))
            #expect(await bench.tokens.failure(second) == nil)
            #expect(await bench.tokens.failure(first) == .keysUnavailable)
            provider.resume()
            bench.moment.advance(by: .seconds(10))
            #expect(await bench.keys.refresh())
        }
    }
}

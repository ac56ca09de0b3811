import Application
import Domain
import HTTPServer
import Infrastructure
import Problems
import Shared
import TestSupport
import Testing

@testable import API

@Suite("Limits over HTTP", .tags(.integration))
struct LimitTests {
    private func options(_ limits: SubmissionLimits) -> APIOptions {
        var options = APIOptions()
        options.limits = limits
        options.corsOrigins = ["https://app.example"]
        return options
    }

    @Test("a submission says what is left of the rate; above it 429, with Retry-After, also for a browser to read")
    func rate() async throws {
        let rate = RequestRate(count: 2, period: .seconds(3600))
        try await withAPI(options(.init(rate: rate))) { api in
            let origin = ["Origin: https://app.example"]
            for left in ["\"address\";r=1;t=1800", "\"address\";r=0;t=3"] {
                let response = try api.solve(#"{"problem":"1"}"#)
                #expect(response.status == 202 && response["ratelimit"]?.hasPrefix(left) == true)
                #expect(response["ratelimit-policy"] == "\"address\";q=2;w=3600")
            }
            let refused = try api.solve(#"{"problem":"1"}"#, origin)
            let problem = try ProblemDocument(refused)
            #expect(refused.status == 429 && problem.type == "/problems/rate-limited")
            let seconds = try #require(refused["retry-after"].flatMap { Int($0) })
            #expect((1795...1800).contains(seconds))
            #expect(refused["ratelimit"] == "\"address\";r=0;t=\(seconds)")
            #expect(refused["ratelimit-policy"] == "\"address\";q=2;w=3600")
            #expect(refused["access-control-allow-origin"] == "https://app.example")
            let exposed = refused["access-control-expose-headers"] ?? ""
            for name in ["Retry-After", "RateLimit", "RateLimit-Policy"] { #expect(exposed.contains(name)) }
            #expect(try await api.metric(#"lemma_requests_refused_total{reason="address_rate"}"#) == 1)
            #expect(try await api.metric("lemma_requests_submitted_total") == 2)
        }
    }

    @Test("an invalid problem costs nothing, and a repetition is answered again whatever the limits are")
    func repetition() async throws {
        let rate = RequestRate(count: 1, period: .seconds(3600))
        try await withAPI(options(.init(rate: rate))) { api in
            #expect(try api.solve(#"{"problem":""}"#).status == 422)
            let key = ["Idempotency-Key: k"]
            let first = try api.solve(#"{"problem":"1"}"#, key)
            #expect(first.status == 202)
            for _ in 0..<2 {
                let again = try api.solve(#"{"problem":"1"}"#, key)
                #expect(again.status == 202 && again["idempotency-replayed"] == "true")
                #expect(again["x-correlation-id"] == first["x-correlation-id"])
            }
            #expect(try api.solve(#"{"problem":"2"}"#, key).status == 422)
            #expect(try api.solve(#"{"problem":"1"}"#, ["Idempotency-Key: l"]).status == 429)
            #expect(try api.solve(#"{"problem":"1"}"#).status == 429)
        }
    }

    @Test("a used-up budget is a 429 until the next UTC day")
    func budget() async throws {
        try await withAPI(options(.init(tokens: 100))) { api in
            #expect(try api.solve(#"{"problem":"1"}"#).status == 202)
            let refused = try api.solve(#"{"problem":"1"}"#)
            #expect(try ProblemDocument(refused).type == "/problems/budget-exhausted" && refused.status == 429)
            let seconds = try #require(refused["retry-after"].flatMap { Int($0) })
            #expect((1...86_400).contains(seconds))
            #expect(refused["ratelimit"] == "\"address-tokens\";r=0;t=\(seconds)")
            #expect(refused["ratelimit-policy"] == "\"address-tokens\";q=100;w=86400;qu=\"tokens\"")
        }
    }

    @Test("with Redis away a submission is a 503 as ever")
    func away() async throws {
        try await withAPI(options(.init(rate: RequestRate(count: 1, period: .seconds(1))))) { api in
            api.redis.kill()
            let response = try api.solve(#"{"problem":"1"}"#)
            #expect(response.status == 503 && response["retry-after"] == "2")
            #expect(try ProblemDocument(response).type == "/problems/store-unavailable")
        }
    }

    @Test("every response forbids browsers to guess its type")
    func nosniff() async throws {
        try await withAPI { api in
            let id = try api.accepted()
            for path in ["/api/math/requests/\(id)", "/nothing", "/api/math/requests/x"] {
                #expect(try api.send("GET", path)["x-content-type-options"] == "nosniff", "\(path)")
            }
            let client = try RawClient(port: api.listener.port)
            client.send("nonsense\r\n\r\n")
            #expect(try client.readResponse()["x-content-type-options"] == "nosniff")
        }
    }

    @Test(
        "Retry-After is rounded up to whole seconds, at least one",
        arguments: [(0, 1), (1, 1), (1000, 1), (1001, 2)]
    )
    func rounding(milliseconds: Int, seconds: Int) {
        let reached = LimitReached(
            kind: .active,
            name: "key",
            quota: 4,
            window: nil,
            retryAfter: .milliseconds(milliseconds),
        )
        let problem = APIProblem.limitReached(reached)
        #expect(problem.kind == .tooManyActive)
        let headers = Dictionary(uniqueKeysWithValues: problem.headers)
        #expect(headers["Retry-After"] == "\(seconds)" && headers["RateLimit"] == "\"key-active\";r=0;t=\(seconds)")
        #expect(headers["RateLimit-Policy"] == "\"key-active\";q=4;qu=\"concurrent-requests\"")
    }
}

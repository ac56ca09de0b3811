import Infrastructure
import Instrumentation
import TestSupport
import Testing

@Suite("What the API counts", .tags(.integration))
struct APIMetricsTests {
    private var withWorker: APIOptions {
        var options = APIOptions()
        options.hasWorker = true
        return options
    }

    private func ends(_ api: APIBench) async throws -> [String: Int] {
        var ends: [String: Int] = [:]
        for end in StreamEnd.allCases {
            let count = try await api.metric(#"lemma_streams_ended_total{reason="\#(end.rawValue)"}"#)
            if count > 0 { ends[end.rawValue] = count }
        }
        return ends
    }

    @Test("a stream is opened once and ends once; its first token and its delivery are measured")
    func stream() async throws {
        try await withAPI(withWorker) { api in
            let response = try api.solve(#"{"problem":"x y"}"#, ["Accept: text/event-stream"])
            #expect(response.status == 200)
            #expect(try await api.metric("lemma_streams_opened_total") == 1)
            #expect(try await ends(api) == ["ended": 1])
            #expect(try await api.metric("lemma_streams_active") == 0)
            #expect(try await api.metric("lemma_request_first_token_seconds_count") == 1)
            let route = #"{method="POST",route="/api/math/solve",status="200"}"#
            #expect(try await api.metric("lemma_http_responses_total" + route) == 1)
            // A client that resumes does not wait for a first token.
            let id = try #require(response["x-correlation-id"])
            _ = try api.stream("/api/math/stream/\(id)", ["Last-Event-ID: 0-1"])
            #expect(try await ends(api) == ["ended": 2])
            #expect(try await api.metric("lemma_streams_resumed_total") == 1)
            #expect(try await api.metric("lemma_request_first_token_seconds_count") == 1)
            #expect(try await api.metric("lemma_event_delivery_seconds_count") <= 1)
        }
    }

    @Test("a live viewer's first token is one of the sample of deliveries")
    func delivery() async throws {
        var options = withWorker
        options.mock = MockClient.Options(
            tokens: 3,
            firstTokenDelay: .seconds(2),
            tokenDelay: .zero,
            content: .echo,
        )
        let slow = options
        try await withAPI(slow) { api in
            let id = try api.accepted("a b c")
            _ = try api.stream("/api/math/stream/\(id)")
            #expect(try await api.metric("lemma_event_delivery_seconds_count") == 1)
            #expect(try await api.metric(#"lemma_event_delivery_seconds_bucket{le="10.0"}"#) == 1)
        }
    }

    @Test("each way to end a stream is counted by its own reason")
    func ends() async throws {
        try await withAPI { api in
            let id = try api.accepted()
            let path = "/api/math/stream/\(id)"
            func open() throws -> RawClient {
                let client = try api.client("GET", path)
                _ = try client.read(through: "event: queued\n")
                return client
            }
            let (leaving, breaking) = (try open(), try open())
            leaving.close()
            breaking.reset()
            #expect(try await eventually { try await api.metric("lemma_streams_active") == 0 })
            #expect(try await ends(api) == ["client_closed": 1, "connection_failed": 1])
            let drained = try open()
            try await api.endStreams()
            _ = try drained.read(through: "\r\n0\r\n\r\n")
            #expect(try await ends(api) == ["client_closed": 1, "connection_failed": 1, "drained": 1])
            _ = try api.stream(path)
            #expect(try await ends(api)["drained"] == 2)
            #expect(try await api.metric("lemma_streams_opened_total") == 4)
        }
    }

    @Test("a request that is not authenticated is counted by its reason")
    func authentication() async throws {
        var options = APIOptions()
        options.isAuthenticationRequired = true
        let strict = options
        try await withAPI(strict) { api in
            let id = "00000000-0000-7000-8000-000000000000"
            _ = try api.send("GET", "/api/math/requests/\(id)")
            _ = try api.send("GET", "/api/math/requests/\(id)", ["Authorization: Basic x"])
            _ = try api.send("GET", "/api/math/requests/\(id)", ["Authorization: Bearer x"])
            _ = try api.send("GET", "/api/math/requests/\(id)", ["Authorization: Bearer lm_x"])
            _ = try api.send("GET", "/api/math/stream/\(id)?ticket=x", ["Accept: text/event-stream"])
            let json = ["Content-Type: application/json"]
            _ = try api.send("POST", "/api/auth/login", json, body: #"{"email":"a@b","password":"x"}"#)
            _ = try api.send("POST", "/api/auth/refresh", json, body: #"{"refreshToken":"x"}"#)
            // Withdrawn accounts: AuthenticationTests.
            for reason in AuthenticationFailure.allCases where reason != .withdrawn {
                let series = #"lemma_http_authentication_failures_total{reason="\#(reason.rawValue)"}"#
                #expect(try await api.metric(series) == 1, "\(reason)")
            }
        }
    }

    @Test("every route shows its series before its first request")
    func routes() async throws {
        try await withAPI { api in
            let text = try await api.metrics()
            for route in ["/api/math/solve", "/api/math/stream/{id}", "/api/conversations/{id}/messages", "/"] {
                #expect(text.contains(#"route="\#(route)",status="500"} 0"#))
                #expect(text.contains(#"route="\#(route)",le="+Inf"} 0"#))
            }
        }
    }
}

import Shared
import TestSupport
import Testing

@Suite("Fresh tickets over HTTP", .tags(.integration), .timeLimit(.minutes(2)))
struct TicketRouteTests {
    private static let json = ["Content-Type: application/json"]

    @Test("a fresh ticket opens the stream of the caller's own request")
    func fresh() async throws {
        try await withAPI(APIOptions(hasWorker: true)) { bench in
            let id = try bench.accepted("a b")
            let response = try bench.send(
                "POST",
                "/api/auth/ticket",
                Self.json,
                body: #"{"correlationId":"\#(id.uppercased())","more":1}"#
            )
            #expect(response.status == 200 && response["cache-control"] == "no-store")
            #expect(response["x-correlation-id"] == id && response.body.hasSuffix(#","expiresIn":600}"#))
            let url = try #require(response.body.firstMatch(of: /"streamUrl":"([^"]+)"/)?.1)
            #expect(url.hasPrefix("/api/math/stream/\(id)?ticket="))
            #expect(try bench.stream(String(url)).frames.last?.contains("event: completed") == true)
        }
    }

    @Test("there is none without an id, for a malformed one, or for a request that is not the caller's")
    func refused() async throws {
        try await withAPI { bench in
            let unknown = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"
            for (body, status) in [
                ("{}", 422), (#"{"correlationId":null}"#, 422), (#"{"correlationId":1}"#, 422),
                (#"{"correlationId":"1"}"#, 400), (#"{"correlationId":"\#(unknown)"}"#, 404),
            ] {
                let response = try bench.send("POST", "/api/auth/ticket", Self.json, body: body)
                #expect(response.status == status, "\(body)")
                if status == 422 {
                    #expect(try ProblemDocument(response).errors?.map(\.field) == ["correlationId"])
                }
            }
            #expect(try bench.send("POST", "/api/auth/ticket").status == 422)
        }
    }
}

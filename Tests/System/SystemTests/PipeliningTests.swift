import TestSupport
import Testing

@Suite("Pipelined requests", .tags(.system), .serialized, .timeLimit(.minutes(2)))
struct PipeliningTests {
    @Test("a connection that always has requests waiting costs no more memory with time")
    func memory() async throws {
        try await Deployment.running { deployment in
            let id = try deployment.api.submit("x").correlationId
            let api = deployment.apis[0]
            let client = try RawClient(port: api.httpPort)
            let filler = (0..<2).map { "X-Filler-\($0): \(String(repeating: "a", count: 2500))\r\n" }.joined()
            let request = "GET /api/math/requests/\(id) HTTP/1.1\r\nHost: a\r\n\(filler)\r\n"
            client.send(String(repeating: request, count: 3))
            var before = 0
            for answered in 0..<10_000 {
                #expect(try client.readResponse().status == 200)
                client.send(request)
                if answered == 500 { before = api.residentBytes }
            }
            #expect(api.residentBytes - before < 4 * 1024 * 1024)
        }
    }
}

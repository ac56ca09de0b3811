import HTTPServer
import TestSupport
import Testing

@Suite("HTTP server: the body limit of a request", .tags(.integration))
struct BodyLimitTests {
    @Test(
        "The handler's limit holds in place of the server's, for known lengths and for chunks",
        arguments: [
            ("/limit?max=4", 4, true), ("/limit?max=4", 5, false), ("/limit?max=100000", 100_000, true),
            ("/limit?max=100000", 100_001, false), ("/echo", 65_536, true), ("/echo", 65_537, false),
        ]
    )
    func limit(_ target: String, _ count: Int, _ isAccepted: Bool) async throws {
        try await withServer { server in
            let body = String(repeating: "a", count: count)
            let framings = [
                "Content-Length: \(count)\r\n\r\n\(body)",
                "Transfer-Encoding: chunked\r\n\r\n\(String(count, radix: 16))\r\n\(body)\r\n0\r\n\r\n",
            ]
            for framing in framings {
                let client = try server.client()
                client.send("POST \(target) HTTP/1.1\r\nHost: a\r\n\(framing)")
                let response = try client.readResponse()
                #expect(response.status == (isAccepted ? 200 : 413))
                if isAccepted { #expect(response.body == body) }
            }
        }
    }

    @Test("A length above the handler's limit is refused before the body is asked for")
    func expectation() async throws {
        try await withServer { server in
            let client = try server.client()
            let head = "POST /limit?max=4 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
            client.send("\(head)Content-Length: 5\r\n\r\n")
            #expect(try client.readResponse().status == 413)
            #expect(server.record.all.isEmpty)
        }
    }
}

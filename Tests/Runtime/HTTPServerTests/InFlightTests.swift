import HTTPServer
import TestSupport
import Testing

@Suite("HTTP server: what is in flight", .tags(.integration))
struct InFlightTests {
    @Test(
        "Unanswered requests, streams and upgraded connections count, idle connections and incomplete requests do not"
    )
    func counts() async throws {
        try await withServer(loops: 2) { server in
            let clients = try (0..<6).map { _ in try server.client() }
            for (client, request) in zip(
                clients,
                [
                    "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", "GET /held HTTP/1.1\r\nHost: a\r\n\r\n",
                    "GET /stream?open=1 HTTP/1.1\r\nHost: a\r\n\r\n",
                    "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
                    "GET /stream?open=1 HTTP/1.1\r\nHost: a\r\n\r\n", "POST /echo HTTP/1.1\r\n",
                ]
            ) {
                client.send(request)
            }
            #expect(
                try await eventually {
                    let inFlight = try await server.listener.inFlight()
                    return (inFlight.requests, inFlight.streams, inFlight.upgrades) == (1, 2, 1) && inFlight.total == 4
                }
            )
            #expect(try await server.listener.connectionCount() == 6)
            server.record.note("release")
            #expect(try clients[1].readResponse().body == "held")
            for client in clients { client.close() }
            #expect(try await eventually { try await server.listener.inFlight() == HTTPInFlight() })
        }
    }
}

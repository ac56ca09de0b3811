import EventLoop
import TestSupport
import Testing

@testable import HTTPServer

@Suite("HTTP server: connections of one address", .tags(.integration))
struct AddressLimitTests {
    private let hello = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"

    @Test("one more than the limit, over all loops, is answered 503; a closed one makes room")
    func limited() async throws {
        let metrics = RecordingMetrics()
        func adjust(_ options: inout HTTPServerOptions) { options.addressConnectionsMax = 3 }
        try await withServer(loops: 2, adjust, metrics: metrics) { server in
            let clients = try (0..<3).map { _ in try server.client() }
            for client in clients {
                client.send(hello)
                #expect(try client.readResponse().status == 200)
            }
            let fourth = try server.client()
            fourth.send(hello)
            let refused = try fourth.readResponse()
            #expect(refused.status == 503 && refused["retry-after"] == "2" && refused["connection"] == "close")
            #expect(refused.body.contains("Your address has as many connections as it may."))
            #expect(try fourth.readToEnd() == "")
            #expect(metrics.record.all.filter { $0.hasPrefix("limit: ") } == ["limit: addressConnections"])
            let source = "GET /stream HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n"
            #expect(try server.exchange(source) == "", "an EventSource never reconnects after a 503")
            // Another address of this machine.
            let other = try RawClient(port: server.listener.port, source: "127.0.0.2")
            other.send(hello)
            #expect(try other.readResponse().status == 200)
            clients[1].close()
            #expect(try await eventually { try await server.listener.connectionCount() == 3 })
            let fifth = try server.client()
            fifth.send(hello)
            #expect(try fifth.readResponse().status == 200)
        }
    }

    @Test("an exempt address has no limit of its own")
    func exempt() async throws {
        func adjust(_ options: inout HTTPServerOptions) {
            options.addressConnectionsMax = 1
            options.isExemptFromAddressLimit = { $0 == "127.0.0.1" }
        }
        try await withServer(adjust) { server in
            let clients = try (0..<4).map { _ in try server.client() }
            for client in clients {
                client.send(hello)
                #expect(try client.readResponse().status == 200)
            }
        }
    }

    @Test("an address is counted as long as it has a connection, an IPv6 one by its first 64 bits")
    func bounded() throws {
        let addresses = AddressConnections(connectionsMax: 2) { $0 == "10.0.0.1" }
        var places: [AddressConnections.Place] = []
        for address in ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "2001:db8::2"] {
            places.append(try #require(addresses.open(address)))
        }
        #expect(addresses.open("192.0.2.1") == nil && addresses.open("2001:db8::3") == nil)
        #expect(addresses.addressCount == 2)
        for address in ["", "10.0.0.1", "10.0.0.1", "10.0.0.1"] {
            addresses.close(try #require(addresses.open(address)))
        }
        addresses.close(places.removeFirst())
        places.append(try #require(addresses.open("192.0.2.1")))
        #expect(addresses.open("192.0.2.1") == nil)
        for place in places { addresses.close(place) }
        #expect(addresses.addressCount == 0)
    }

    @Test("every response has the common fields, the server's own errors and streams included")
    func commonFields() async throws {
        func adjust(_ options: inout HTTPServerOptions) { options.responseFields = ["X-Common": "yes"] }
        try await withServer(adjust) { server in
            let requests = [hello, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n", "nonsense\r\n\r\n"]
            for request in requests {
                let client = try server.client()
                client.send(request)
                #expect(try client.readResponse()["x-common"] == "yes", "\(request)")
            }
        }
    }
}

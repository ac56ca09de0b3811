import HTTPServer
import TestSupport
import Testing

@Suite("HTTP server: serving")
struct ServingTests {
    @Test("A GET is answered with length, type and date, and the connection stays open")
    func simpleGet() async throws {
        try await withServer { server in
            let client = try server.client()
            for _ in 1...2 {
                client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
                let response = try client.readResponse()
                #expect(response.status == 200)
                #expect(response.body == "hello")
                #expect(response["content-type"] == "text/plain")
                #expect(response["connection"] == nil)
                #expect(
                    try #require(response["date"]).wholeMatch(of: /\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT/) != nil
                )
            }
        }
    }

    @Test("A body of known length arrives whole")
    func fixedBody() async throws {
        try await withServer { server in
            let client = try server.client()
            client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde")
            #expect(try client.readResponse().body == "abcde")
        }
    }

    @Test("A stream's frames of one turn share one chunk, and the connection serves the next request after it")
    func chunkedStream() async throws {
        try await withServer { server in
            let client = try server.client()
            client.send("GET /stream?n=3 HTTP/1.1\r\nHost: a\r\n\r\n")
            let head = try client.read(through: "\r\n\r\n")
            #expect(head.contains("Transfer-Encoding: chunked\r\n"))
            #expect(try client.readChunk() == "data: 0\n\ndata: 1\n\ndata: 2\n\n")
            #expect(try client.readChunk() == nil)
            client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try client.readResponse().body == "hello")
        }
    }
}

import HTTPServer
import TestSupport
import Testing

@Suite("HTTP server: serving", .tags(.integration))
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

    @Test("The handler gets method, target, version, headers, query, body and the peer's address")
    func wholeRequest() async throws {
        try await withServer { server in
            let client = try server.client()
            client.send(
                "POST /sh%6Fw?x=1&q=a%20b+c&q=d HTTP/1.1\r\nHost: a:80\r\nX-Multi:  1 \t\r\nX-Empty:\r\nx-multi: 2\r\n"
                    + "Content-Length: 3 \r\n\r\nabc"
            )
            #expect(
                try client.readResponse().body == "POST /sh%6Fw?x=1&q=a%20b+c&q=d http11 "
                    + "[Host=a:80|X-Multi=1|X-Empty=|x-multi=2|Content-Length=3] 127.0.0.1 abc q=a b c x=1, 2"
            )
        }
    }

    @Test(
        "Unusual but valid requests are served",
        arguments: [
            "GET /hello HTTP/1.1\r\nHost:\r\n\r\n",
            "GET /hello HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n",
            "GET /hello HTTP/1.1\r\nhost:a\r\n\r\n",
            "\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /hello? HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /%68ello HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http://b/hello HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET HTTPS://b:443/hello?x HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /hello HTTP/1.1\r\nHost: a\r\nX-A: b\u{e4}\tc\r\n\r\n",
            "GET /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
            "GET /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
            "GET /hello HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
            "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc",
            "POST /hello HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /hello HTTP/1.1\r\nHost: a\r\n" + String(repeating: "X-A: b\r\n", count: 99) + "\r\n",
            "GET /hello?" + String(repeating: "a", count: 8185) + " HTTP/1.1\r\nHost: a\r\n\r\n",
        ]
    )
    func oddButRight(_ request: String) async throws {
        try await withServer { server in
            let client = try server.client()
            client.send(request + request)
            #expect(try client.readResponse().body == "hello")
            #expect(try client.readResponse().body == "hello")
        }
    }

    @Test(
        "OPTIONS * and registered methods reach the handler",
        arguments: [
            ("OPTIONS *", "OPTIONS *"), ("PROPFIND /x", "PROPFIND /x"), ("TRACE /x", "TRACE /x"),
            ("PATCH /x", "PATCH /x"),
            ("DELETE http://b", "DELETE /"), ("PUT http://b?q", "PUT /"),
        ]
    )
    func methods(_ start: String, _ seen: String) async throws {
        try await withServer { server in
            let client = try server.client()
            client.send("\(start) HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try client.readResponse().status == 404)
            #expect(server.record.all == [seen])
        }
    }

    @Test(
        "Bodies arrive whole, of known length or in chunks with extensions and trailers",
        arguments: [
            "Content-Length: 5\r\n\r\nabcde",
            "Content-Length: 00005\r\n\r\nabcde",
            "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
            "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0003\r\ncde\r\n000\r\n\r\n",
            "Transfer-Encoding: chunked\r\n\r\n2;a;c=\"d e\"\r\nab\r\n3;x\r\ncde\r\n0;y\r\nX-A: b\r\nContent-Length: 9\r\n\r\n",
        ]
    )
    func bodies(_ rest: String) async throws {
        try await withServer { server in
            let client = try server.client()
            client.send("POST /echo HTTP/1.1\r\nHost: a\r\n\(rest)GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try client.readResponse().body == "abcde")
            #expect(try client.readResponse().body == "hello")
        }
    }

    @Test("A body of exactly the limit is accepted, in one piece or in chunks")
    func largestBody() async throws {
        try await withServer { server in
            let client = try server.client()
            let body = String(repeating: "a", count: 65_536)
            client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 65536\r\n\r\n\(body)")
            #expect(try client.readResponse().body == body)
            client.send(
                "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\n\(body)\r\n0\r\n\r\n"
            )
            #expect(try client.readResponse().body == body)
        }
    }

    @Test("HEAD gets the length of a body and none of it; 204 gets neither")
    func noBody() async throws {
        try await withServer { server in
            let client = try server.client()
            client.send("HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try client.readResponse(hasBody: false)["content-length"] == "5")
            client.send("GET /empty HTTP/1.1\r\nHost: a\r\n\r\n")
            let response = try client.readResponse()
            #expect(response.status == 204)
            #expect(response["content-length"] == nil)
            client.send("HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try client.readResponse(hasBody: false)["transfer-encoding"] == "chunked")
            client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try client.readResponse().body == "hello")
        }
    }

    @Test("HTTP/1.0 is served without a Host and closed, also with Connection: keep-alive")
    func http10() async throws {
        try await withServer { server in
            for line in ["", "Connection: keep-alive\r\n"] {
                let answer = try server.exchange("GET /hello HTTP/1.0\r\n\(line)\r\n")
                #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
                #expect(answer.contains("Connection: close\r\n"))
                #expect(answer.hasSuffix("\r\n\r\nhello"))
            }
        }
    }

    @Test(
        "Connection: close closes the connection, also in a list, and bytes behind the request are ignored",
        arguments: [
            "close", "Close", "keep-alive, close",
        ]
    )
    func connectionClose(_ value: String) async throws {
        try await withServer { server in
            let request = "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: \(value)\r\n\r\n"
            let answer = try server.exchange(request + request)
            #expect(answer.split(separator: "HTTP/1.1 ").count == 1)
            #expect(answer.contains("Connection: close\r\n"))
            #expect(server.record.all.count == 1)
        }
    }

    @Test("A header value with line ends cannot begin another field")
    func injection() async throws {
        try await withServer { server in
            let client = try server.client()
            client.send("GET /inject HTTP/1.1\r\nHost: a\r\n\r\n")
            let response = try client.readResponse()
            #expect(response["x-value"] == "a  Set-Cookie: b ")
            #expect(response["set-cookie"] == nil)
        }
    }

    @Test("An exchange that is released without an answer answers 500")
    func forgotten() async throws {
        try await withServer { server in
            let client = try server.client()
            client.send("GET /forget HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try client.readResponse().status == 500)
        }
    }
}

@Suite("HTTP server: Expect", .tags(.integration))
struct ExpectTests {
    private static let head = "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"

    @Test(
        "100 Continue is sent once the head is accepted, and then the response",
        arguments: [
            ("Content-Length: 3", "abc"), ("Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n"),
        ]
    )
    func accepted(_ line: String, _ body: String) async throws {
        try await withServer { server in
            let client = try server.client()
            client.send(Self.head + line + "\r\n\r\n")
            #expect(try client.read(through: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
            client.send(body)
            #expect(try client.readResponse().body == "abc")
        }
    }

    @Test("100 Continue is not sent when the body has arrived, when there is none, or to HTTP/1.0")
    func notNeeded() async throws {
        try await withServer { server in
            let client = try server.client()
            client.send(Self.head + "Content-Length: 3\r\n\r\nabc")
            #expect(try client.readResponse().status == 200)
            client.send("GET /hello HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n")
            #expect(try client.readResponse().status == 200)
            client.send("POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
            // Turns of the loop, in which the head is read before the body arrives.
            for _ in 0..<8 { #expect(try await server.listener.connectionCount() == 1) }
            client.send("abc")
            let response = try client.readResponse()
            #expect(response.status == 200 && response.body == "abc")
        }
    }

    @Test("A body that is too long is refused, and 100 Continue is not sent")
    func tooLong() async throws {
        try await withServer { server in
            let client = try server.client()
            client.send(Self.head + "Content-Length: 65537\r\n\r\n")
            #expect(try client.readResponse().status == 413)
        }
    }

    @Test("The handler can reject a request before its body")
    func refusedByHandler() async throws {
        try await withServer { server in
            let client = try server.client()
            client.send("POST /refuse HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
            let response = try client.readResponse()
            #expect(response.status == 403)
            #expect(response.body == "no")
            #expect(response["connection"] == "close")
            #expect(server.record.all.isEmpty)
        }
    }
}

import HTTPServer
import TestSupport
import Testing

/// Bytes that are no acceptable request, and the status of the response.
struct Refused: Sendable, CustomTestStringConvertible {
    let name: String
    let status: Int
    let request: String

    init(_ name: String, _ status: Int, _ request: String) {
        self.name = name
        self.status = status
        self.request = request
    }

    var testDescription: String { name }

    /// A POST with these header lines, and the bytes behind its head.
    static func post(_ name: String, _ status: Int, _ lines: String, _ rest: String = "") -> Refused {
        Refused(name, status, "POST /echo HTTP/1.1\r\nHost: a\r\n\(lines)\r\n\r\n\(rest)")
    }

    static func chunked(_ name: String, _ status: Int, _ body: String) -> Refused {
        post(name, status, "Transfer-Encoding: chunked", body)
    }

    static func header(_ name: String, _ status: Int, _ line: String) -> Refused {
        Refused(name, status, "GET /hello HTTP/1.1\r\nHost: a\r\n\(line)\r\n\r\n")
    }

    static func line(_ name: String, _ status: Int, _ line: String) -> Refused {
        Refused(name, status, "\(line)\r\nHost: a\r\n\r\n")
    }
}

private let requestLines = [
    Refused.line("garbage", 400, "garbage"),
    .line("garbage with spaces", 400, "one two three four"),
    Refused("a TLS handshake", 400, "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}"),
    Refused("two empty lines first", 400, "\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n"),
    Refused("a leading space", 400, " GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"),
    .line("two spaces before the target", 400, "GET  /hello HTTP/1.1"),
    .line("two spaces after the target", 400, "GET /hello  HTTP/1.1"),
    .line("a space after the version", 400, "GET /hello HTTP/1.1 "),
    .line("a tab as separator", 400, "GET\t/hello HTTP/1.1"),
    .line("no version (HTTP/0.9)", 400, "GET /hello"),
    .line("another protocol", 400, "GET /hello RTSP/1.0"),
    .line("a version of one digit", 400, "GET /hello HTTP/1"),
    .line("a lower-case protocol name", 400, "GET /hello http/1.1"),
    .line("HTTP/3.7", 505, "GET /hello HTTP/3.7"),
    .line("HTTP/2.0", 505, "GET /hello HTTP/2.0"),
    .line("HTTP/1.2", 505, "GET /hello HTTP/1.2"),
    .line("HTTP/0.9 spelled out", 505, "GET /hello HTTP/0.9"),
    Refused("the preface of HTTP/2", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    .line("an unknown method", 501, "BREW /hello HTTP/1.1"),
    .line("a method in lower case", 501, "get /hello HTTP/1.1"),
    .line("CONNECT", 501, "CONNECT a:443 HTTP/1.1"),
    .line("a method of 33 letters", 400, String(repeating: "A", count: 33) + " / HTTP/1.1"),
    Refused("a bare LF after the request line", 400, "GET /hello HTTP/1.1\nHost: a\r\n\r\n"),
    Refused("a bare CR after the request line", 400, "GET /hello HTTP/1.1\rHost: a\r\n\r\n"),
]

private let targets = [
    Refused.line("a target without a slash", 400, "GET hello HTTP/1.1"),
    .line("an asterisk with GET", 400, "GET * HTTP/1.1"),
    .line("another scheme", 400, "GET ftp://a/hello HTTP/1.1"),
    .line("a scheme without a host", 400, "GET http:///hello HTTP/1.1"),
    .line("user information in the host", 400, "GET http://u@a/hello HTTP/1.1"),
    .line("a fragment", 400, "GET /hello#part HTTP/1.1"),
    .line("a percent sign at the end", 400, "GET /hello%2 HTTP/1.1"),
    .line("a percent sign without digits", 400, "GET /hello%zz HTTP/1.1"),
    .line("a bad percent sign in the query", 400, "GET /hello?a=%g1 HTTP/1.1"),
    .line("an encoded NUL", 400, "GET /hello%00 HTTP/1.1"),
    .line("an encoded line end", 400, "GET /hello%0d%0a HTTP/1.1"),
    .line("an encoded slash", 400, "GET /he%2Fllo HTTP/1.1"),
    .line("bytes that are no UTF-8", 400, "GET /%ff HTTP/1.1"),
    .line("an overlong encoding", 400, "GET /%c0%af HTTP/1.1"),
    .line("a dot segment", 400, "GET /a/../hello HTTP/1.1"),
    .line("an encoded dot segment", 400, "GET /a/%2e%2E/hello HTTP/1.1"),
    .line("a raw byte above ASCII", 400, "GET /h\u{e4} HTTP/1.1"),
    .line("a target of 8,193 bytes", 414, "GET /" + String(repeating: "a", count: 8192) + " HTTP/1.1"),
    Refused("a target that does not end", 414, "GET /" + String(repeating: "a", count: 100_000)),
]

private let headers = [
    Refused("no Host", 400, "GET /hello HTTP/1.1\r\n\r\n"),
    .header("two Hosts", 400, "Host: a"),
    .header("two different Hosts", 400, "Host: b"),
    Refused("two Hosts with HTTP/1.0", 400, "GET /hello HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"),
    Refused("a Host with a slash", 400, "GET /hello HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    Refused("a Host with a space", 400, "GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n"),
    .header("a space before the colon", 400, "X-A : b"),
    .header("a tab before the colon", 400, "X-A\t: b"),
    .header("a line without a colon", 400, "X-A"),
    .header("an empty name", 400, ": b"),
    .header("a folded line", 400, "X-A: b\r\n c"),
    .header("a line folded with a tab", 400, "X-A: b\r\n\tc"),
    Refused("white space before the first field", 400, "GET /hello HTTP/1.1\r\n Host: a\r\n\r\n"),
    .header("NUL in a value", 400, "X-A: b\u{0}c"),
    .header("NUL in a name", 400, "X\u{0}A: b"),
    .header("a control in a value", 400, "X-A: b\u{1}c"),
    .header("DEL in a value", 400, "X-A: b\u{7f}c"),
    .header("a bare LF between fields", 400, "X-A: b\nX-B: c"),
    .header("a bare CR between fields", 400, "X-A: b\rX-B: c"),
    .header("a bracket in a name", 400, "X(A): b"),
    .header("a name beyond ASCII", 400, "X\u{e4}: b"),
    Refused("a bare LF as the end of the head", 400, "GET /hello HTTP/1.1\r\nHost: a\r\n\n"),
    .header("two Authorizations", 400, "Authorization: Bearer a\r\nAuthorization: Bearer b"),
    .header("two Content-Types", 400, "Content-Type: a/b\r\nContent-Type: c/d"),
    .header("a header of 100 KB", 431, "X-A: " + String(repeating: "b", count: 100_000)),
    .header("a header name of 100 KB", 431, String(repeating: "b", count: 100_000) + ": c"),
    .header(
        "one header over the number allowed",
        431,
        Array(repeating: "X-A: b", count: 100).joined(separator: "\r\n")
    ),
    .post("an unknown expectation", 417, "Expect: tea\r\nContent-Length: 3", "abc"),
]

private let framing = [
    Refused.post(
        "a length with chunks",
        400,
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "3\r\nabc\r\n0\r\n\r\n"
    ),
    .post("chunks with a length", 400, "Transfer-Encoding: chunked\r\nContent-Length: 3", "3\r\nabc\r\n0\r\n\r\n"),
    .post("two lengths", 400, "Content-Length: 3\r\nContent-Length: 4", "abcd"),
    .post("two equal lengths", 400, "Content-Length: 3\r\nContent-Length: 3", "abc"),
    .post("a list of lengths", 400, "Content-Length: 3, 3", "abc"),
    .post("a length of +5", 400, "Content-Length: +5", "abcde"),
    .post("a length of -5", 400, "Content-Length: -5", "abcde"),
    .post("a length of 0x5", 400, "Content-Length: 0x5", "abcde"),
    .post("an empty length", 400, "Content-Length:", "abcde"),
    .post("a length with a space inside", 400, "Content-Length: 5 5", "abcde"),
    .post("a length beyond 64 bits", 400, "Content-Length: 18446744073709551617", "a"),
    .post("a length over the limit", 413, "Content-Length: 65537"),
    .post("the longest length", 413, "Content-Length: 18446744073709551615"),
    .post("two codings in one field", 501, "Transfer-Encoding: gzip, chunked", "0\r\n\r\n"),
    .post("two Transfer-Encodings", 400, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
    .post(
        "two different Transfer-Encodings",
        400,
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
        "0\r\n\r\n"
    ),
    .post("chunked twice", 400, "Transfer-Encoding: chunked, chunked", "0\r\n\r\n"),
    .post("chunked not last", 400, "Transfer-Encoding: chunked, gzip", "0\r\n\r\n"),
    .post("a coding that ends like chunked", 400, "Transfer-Encoding: xchunked", "0\r\n\r\n"),
    .post("the coding identity", 400, "Transfer-Encoding: identity", "abc"),
    .post("an empty coding", 501, "Transfer-Encoding:", "0\r\n\r\n"),
    Refused("chunks with HTTP/1.0", 400, "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
]

private let chunks = [
    Refused.chunked("a chunk size that is no number", 400, "x\r\nabc\r\n0\r\n\r\n"),
    .chunked("an empty chunk size", 400, "\r\nabc\r\n0\r\n\r\n"),
    .chunked("a chunk size of +3", 400, "+3\r\nabc\r\n0\r\n\r\n"),
    .chunked("a chunk size of -1", 400, "-1\r\nabc\r\n0\r\n\r\n"),
    .chunked("a chunk size of 0x3", 400, "0x3\r\nabc\r\n0\r\n\r\n"),
    .chunked("a space before the chunk size", 400, " 3\r\nabc\r\n0\r\n\r\n"),
    .chunked("a space after the chunk size", 400, "3 \r\nabc\r\n0\r\n\r\n"),
    .chunked("a chunk size beyond 64 bits", 400, "fffffffffffffffff\r\nabc\r\n0\r\n\r\n"),
    .chunked("a bare LF after the chunk size", 400, "3\nabc\r\n0\r\n\r\n"),
    .chunked("a CR and a letter after the chunk size", 400, "3\rXabc\r\n0\r\n\r\n"),
    .chunked("no line end after a chunk", 400, "3\r\nabc0\r\n\r\n"),
    .chunked("no line end between two chunks", 400, "3\r\nabc3\r\nabc\r\n0\r\n\r\n"),
    .chunked("two letters for the line end after a chunk", 400, "3\r\nabcXX0\r\n\r\n"),
    .chunked("a bare LF after a chunk", 400, "3\r\nabc\n0\r\n\r\n"),
    .chunked("a chunk longer than it says", 400, "2\r\nabc\r\n0\r\n\r\n"),
    .chunked("a letter for the last LF", 400, "0\r\n\rX"),
    .chunked("a control in a chunk extension", 400, "3;a=\u{1}\r\nabc\r\n0\r\n\r\n"),
    .chunked("a bare LF in a chunk extension", 400, "3;a=b\nabc\r\n0\r\n\r\n"),
    .chunked("a chunk extension of 2 KB", 400, "3;a=" + String(repeating: "b", count: 2048) + "\r\nabc\r\n0\r\n\r\n"),
    // Valid by the RFC, but llhttp 8.1 refuses it, and no known client sends it.
    .chunked("a chunk extension behind an unquoted value", 400, "3;a=b;c=d\r\nabc\r\n0\r\n\r\n"),
    .chunked("a folded trailer", 400, "0\r\nX-A: b\r\n c\r\n\r\n"),
    .chunked("a space before a trailer's colon", 400, "0\r\nX-A : b\r\n\r\n"),
    .chunked("a bare LF after a trailer", 400, "0\r\nX-A: b\n\r\n"),
    .chunked("a bare CR after a trailer", 400, "0\r\nX-A: b\rX-B: c\r\n\r\n"),
    .chunked("NUL in a trailer", 400, "0\r\nX-A: \u{0}\r\n\r\n"),
    .chunked("a trailer of 20 KB", 431, "0\r\nX-A: " + String(repeating: "b", count: 20_000) + "\r\n\r\n"),
    .chunked("a chunk over the limit", 413, "10001\r\n"),
    .chunked(
        "chunks that together are over the limit",
        413,
        "8000\r\n" + String(repeating: "a", count: 0x8000) + "\r\n8001\r\n",
    ),
]

@Suite("HTTP server: refusals", .tags(.integration))
struct RefusalTests {
    @Test(
        "A refused request is answered once, with a problem document, and the connection closes",
        arguments: [
            requestLines, targets, headers, framing, chunks,
        ].joined().map(\.self)
    )
    func refusal(_ refused: Refused) async throws {
        try await withServer { server in
            let client = try server.client()
            client.send(refused.request)
            let response = try client.readResponse()
            #expect(response.status == refused.status)
            #expect(response["connection"] == "close")
            #expect(response["content-type"] == "application/problem+json")
            #expect(response.body.contains(#""status":\#(refused.status)"#))
            #expect(response.body.contains(#""type":"/problems/"#))
            client.shutdownSending()
            #expect(try client.readToEnd() == "", "nothing follows a refusal")
            #expect(server.record.all.isEmpty, "the handler must not see it")
            #expect(try await server.waitUntilEmpty())
        }
    }

    @Test(
        "A request that arrives byte by byte gets the same response",
        arguments: [
            requestLines, targets, headers, framing, chunks,
        ].joined().filter { $0.request.utf8.count < 2000 }
    )
    func refusalByteByByte(_ refused: Refused) async throws {
        try await withServer { server in
            let client = try server.client()
            for byte in refused.request.utf8 where client.send([byte]) {}
            #expect(try client.readResponse().status == refused.status)
        }
    }

    @Test("A refused HEAD is answered without a body")
    func refusedHead() async throws {
        try await withServer { server in
            let answer = try server.exchange("HEAD /hello HTTP/1.1\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 400 "))
            #expect(answer.hasSuffix("\r\n\r\n"))
        }
    }

    @Test("Bytes behind a refused request are not parsed as a request")
    func nothingAfterRefusal() async throws {
        try await withServer { server in
            let next = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"
            let answer = try server.exchange("GET /hello HTTP/1.1\r\nHost : a\r\n\r\n" + next + next)
            #expect(answer.split(separator: "HTTP/1.1 ").count == 1)
            #expect(server.record.all.isEmpty)
        }
    }
}

import TestSupport
import Testing

@testable import HTTPServer

@Suite("HTTP server: what is read of a refused request", .tags(.unit))
struct RefusedRequestTests {
    @Test(
        "The path is read where the request line has a complete and valid one",
        arguments: [
            ("GET /a/b HTTP/1.1\r\nHost: a\r\n\r\n", "/a/b"),
            ("\r\nGET /a HTTP/1.1\r\n", "/a"),
            ("GET /%61?q=%zz HTTP/1.1\r\n", "/a"),
            ("GET /a?\(String(repeating: "q", count: 9000))", "/a"),
            ("GET http://host/a HTTP/1.1\r\n", "/a"),
            ("BREW /pot HTTP/1.1\r\n", "/pot"),
            ("GET /a HTTP/3.7\r\n", "/a"),
            ("GET /a\r\n", "/a"),
            ("GET /a", nil),
            ("GET /\(String(repeating: "a", count: 9000))", nil),
            ("GET  /a HTTP/1.1\r\n", nil),
            ("GET\t/a HTTP/1.1\r\n", nil),
            ("GET a HTTP/1.1\r\n", nil),
            ("GET /a/../b HTTP/1.1\r\n", nil),
            ("GET /%00 HTTP/1.1\r\n", nil),
            ("GET /a\u{1} HTTP/1.1\r\n", nil),
            ("GET /h\u{e4} HTTP/1.1\r\n", nil),
            ("G(T /a HTTP/1.1\r\n", nil),
            (" /a HTTP/1.1\r\n", nil),
            ("garbage\r\n\r\n", nil),
            ("GET", nil),
            ("", nil),
        ]
    )
    func path(_ head: String, _ path: String?) {
        #expect(RefusedRequest(head: Array(head.utf8)).path == path)
    }

    @Test("Origin and request ID are read from the head alone, and only where they are visible ASCII")
    func fields() {
        for (fields, origin, requestID) in [
            ("Origin: https://a.example \r\nX-REQUEST-ID:7\r\n", "https://a.example", "7"),
            ("Bad Name: x\r\norigin: b\r\n", "b", nil),
            ("Origin: a b\r\nX-Request-ID: \r\n", nil, nil),
            ("\r\nOrigin: in-the-body\r\n", nil, nil),
        ] as [(String, String?, String?)] {
            let request = RefusedRequest(head: Array("GET /a HTTP/1.1\r\n\(fields)".utf8))
            #expect(request == RefusedRequest(path: "/a", origin: origin, requestID: requestID))
        }
    }

    @Test("The server's own problem document has the path as its instance, or none where there is none")
    func instance() {
        let request = RefusedRequest(path: "/a\"b")
        let known = problemResponse(status: 400, detail: "No.", request: request)
        #expect(
            String(decoding: known.body, as: UTF8.self)
                == #"{"type":"/problems/bad-request","title":"Bad Request","status":400,"detail":"No.","instance":"/a\"b"}"#
        )
        let unknown = problemResponse(status: 414, detail: "No.", request: RefusedRequest())
        #expect(!String(decoding: unknown.body, as: UTF8.self).contains("instance"))
    }
}

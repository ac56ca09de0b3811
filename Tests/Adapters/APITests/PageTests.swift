import API
import FoundationEssentials
import HTTPServer
import TestSupport
import Testing

@Suite("The page, other origins and the operations port", .tags(.integration))
struct PageTests {
    /// A page of three files beside one that must never be served.
    private func withPage(_ body: @escaping @Sendable (APIBench) async throws -> Void) async throws {
        let directory = try TemporaryDirectory()
        let files = FileManager.default
        let web = "\(directory.path)/web"
        try files.createDirectory(atPath: "\(web)/fonts", withIntermediateDirectories: true)
        let contents = [
            "web/index.html": "<html></html>", "web/app.js": "let a = 1", "web/fonts/a.woff2": "font",
            "web/.hidden.js": "hidden", "web/notes.unknown": "notes", "secret.js": "secret",
        ]
        for (name, text) in contents {
            #expect(files.createFile(atPath: "\(directory.path)/\(name)", contents: Data(text.utf8)))
        }
        var options = APIOptions()
        options.assets = try WebAssets(directory: web)
        try await withAPI(options, body)
    }

    @Test("the page and its assets are served with their types and with headers that keep others out")
    func served() async throws {
        try await withPage { api in
            let expected = [
                ("/", "text/html; charset=utf-8", "<html></html>"),
                ("/assets/app.js", "text/javascript; charset=utf-8", "let a = 1"),
                ("/assets/fonts/a.woff2", "font/woff2", "font"),
            ]
            for (path, type, text) in expected {
                let response = try api.send("GET", path)
                #expect(response.status == 200 && response.body == text)
                #expect(response["content-type"] == type)
                #expect(response["x-content-type-options"] == "nosniff")
                #expect(response["referrer-policy"] == "no-referrer")
                #expect(response["content-security-policy"]?.contains("script-src 'self'") == true)
                #expect(response["content-security-policy"]?.contains("frame-ancestors 'none'") == true)
                let head = try api.send("HEAD", path)
                #expect(head.status == 200 && head["content-length"] == "\(text.utf8.count)")
                let tag = try #require(response["etag"])
                for condition in [tag, "W/\(tag)", "\"x\", \(tag)", "*"] {
                    let known = try api.send("GET", path, ["If-None-Match: \(condition)"])
                    #expect(known.status == 304 && known.body.isEmpty, "\(condition)")
                    #expect(known["etag"] == tag)
                }
                #expect(try api.send("GET", path, ["If-None-Match: \"x\""]).status == 200)
            }
        }
    }

    @Test(
        "nothing but the page's files is served",
        arguments: [
            "/assets/", "/assets/../secret.js", "/assets/%2e%2e/secret.js", "/assets/..%2fsecret.js",
            "/assets/fonts/../../secret.js", "/assets//app.js", "/assets/.hidden.js", "/assets/notes.unknown",
            "/assets/fonts", "/secret.js", "/assets/app.js/", "/assets/APP.js", "/assets/%5c..%5csecret.js",
            "/assets/app.js%00", "/.hidden.js",
        ],
    )
    func traversal(path: String) async throws {
        try await withPage { api in
            let response = try api.send("GET", path)
            #expect(response.status == 404 || response.status == 400, "\(response)")
            #expect(response["content-type"] == "application/problem+json")
            #expect(!response.body.contains("hidden\"") && !response.body.hasPrefix("secret"))
        }
    }

    @Test("allowed origins may use the API, other origins get no header that allows anything")
    func origins() async throws {
        var options = APIOptions()
        options.corsOrigins = ["https://app.example"]
        try await withAPI(options) { api in
            let preflight = ["Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type"]
            let allowed = try api.send("OPTIONS", "/api/math/solve", preflight + ["Origin: https://app.example"])
            #expect(allowed.status == 204)
            #expect(allowed["access-control-allow-origin"] == "https://app.example")
            #expect(allowed["access-control-allow-methods"]?.contains("DELETE") == true)
            let names =
                allowed["access-control-allow-headers"]?.split(separator: ",").map { $0.drop { $0 == " " } } ?? []
            #expect(
                Set(names) == [
                    "authorization", "cache-control", "content-type", "idempotency-key", "last-event-id", "prefer",
                    "traceparent", "tracestate", "baggage", "x-requested-with", "x-request-id", "x-end-user",
                ]
            )
            #expect(allowed["vary"] == "Origin")
            let denied = try api.send("OPTIONS", "/api/math/solve", preflight + ["Origin: https://evil.example"])
            #expect(denied["access-control-allow-origin"] == nil)
            for (origin, isAllowed) in [
                ("https://app.example", true), ("https://evil.example", false), ("null", false),
            ] {
                for path in ["/x", "/api/math/requests/1"] {
                    let response = try api.send("GET", path, ["Origin: \(origin)"])
                    #expect(response["access-control-allow-origin"] == (isAllowed ? origin : nil))
                    #expect(response["vary"] == "Origin")
                }
            }
            #expect(try api.send("GET", "/x")["access-control-allow-origin"] == nil)
        }
    }

    @Test("an allowed page can read also what the HTTP layer answers by itself", arguments: [413, 431, 400, 505])
    func refusedOrigins(status: Int) async throws {
        var options = APIOptions()
        options.corsOrigins = ["https://app.example"]
        try await withAPI(options) { api in
            for (origin, isAllowed) in [("https://app.example", true), ("https://evil.example", false)] {
                let client = try RawClient(port: api.listener.port)
                let head =
                    "POST /api/math/solve HTTP/\(status == 505 ? "2.0" : "1.1")\r\nHost: a\r\nOrigin: \(origin)\r\n"
                switch status {
                case 413: client.send(head + "Content-Length: 70000\r\n\r\n")
                case 431: client.send(head + "X-Large: \(String(repeating: "x", count: 20_000))\r\n\r\n")
                case 400: client.send(head + "Content-Length: x\r\n\r\n")
                case _: client.send(head + "\r\n")
                }
                let response = try client.readResponse()
                #expect(response.status == status)
                #expect(response["access-control-allow-origin"] == (isAllowed ? origin : nil))
                #expect(response["vary"] == "Origin")
            }
        }
    }
}

import EventLoop
import RedisClient
import TestSupport
import Testing

@Suite("Redis URLs", .tags(.unit))
struct RedisURLTests {
    @Test("contain endpoint, login and database")
    func forms() throws {
        #expect(try RedisURL("redis://cache") == RedisURL(endpoint: .tcp(host: "cache", port: 6379)))
        #expect(
            try RedisURL("rediss://app:p%40ss%3A%2F@redis.example.org:6380/12")
                == RedisURL(
                    endpoint: .tcp(host: "redis.example.org", port: 6380),
                    usesTLS: true,
                    user: "app",
                    password: "p@ss:/",
                    database: 12,
                )
        )
        #expect(
            try RedisURL("redis://:secret@[::1]:1/")
                == RedisURL(endpoint: .tcp(host: "::1", port: 1), password: "secret")
        )
        #expect(
            try RedisURL("unix:///run/redis%20a.sock?db=1")
                == RedisURL(endpoint: .unix(path: "/run/redis a.sock"), database: 1)
        )
        #expect(
            try RedisURL("unix://u:p@/run/r.sock")
                == RedisURL(endpoint: .unix(path: "/run/r.sock"), user: "u", password: "p")
        )
    }

    @Test(
        "are rejected when malformed",
        arguments: [
            "", "cache:6379", "http://cache", "redis://", "redis://:6379", "redis://cache:0", "redis://cache:65536",
            "redis://cache:x", "redis://cache/one", "redis://cache/-1", "redis://user@cache", "redis://u:@cache",
            "redis://u:%4@cache", "redis://u:%ff@cache", "redis://cache?db=1", "redis://[::1]x",
            "unix://run/redis.sock",
            "unix://", "unix:///", "unix:///run/r?database=1", "unix:///\(String(repeating: "x", count: 107))",
        ],
    )
    func malformed(_ text: String) {
        let error = #expect(throws: RedisURLError.self) { try RedisURL(text) }
        if case .notSupportedYet = error { Issue.record("\(text) is malformed, not unsupported") }
    }

    @Test(
        "are rejected with the name of an unknown option, without anything that may belong to a password",
        arguments: [
            ("rediss://h?ssl_cert_reqs=required", "ssl_cert_reqs"), ("rediss://h/1?a&b=1", "a"),
            ("unix:///run/r?database=1", "database"), ("redis://h?x y=1", ""),
        ]
    )
    func option(text: String, name: String) {
        #expect(throws: RedisURLError.unknownOption(name)) { try RedisURL(text) }
    }

    @Test("may contain ?, # and commas in a password, but not /, which the error does not quote")
    func password() throws {
        #expect(try RedisURL("redis://:pa?ss@h").password == "pa?ss")
        #expect(try RedisURL("redis://:p#a,ss@h").password == "p#a,ss")
        let error = #expect(throws: RedisURLError.self) { try RedisURL("redis://:pa/ss?word@h/1") }
        let text = error.map { "\($0)" } ?? ""
        #expect(!text.contains("ss") || text.contains("password must be"))
        #expect(!text.contains("ss?") && !text.contains("word@"))
    }

    @Test(
        "with a part after # are rejected with the reason",
        arguments: ["redis://h#frag", "redis://h:1#frag", "redis://h/1#frag", "rediss://:p@h/#", "redis://h?db=1#frag"]
    )
    func fragment(text: String) {
        let error = #expect(throws: RedisURLError.fragment) { try RedisURL(text) }
        #expect(error?.description == "a part after # has no meaning; write # in a user or password as %23")
    }

    @Test(
        "with several hosts are rejected with the reason",
        arguments: ["redis://h,h2:1/0", "redis://h:1,h2", "rediss://:p@h,h2", "redis://[::1],[::2]:1", "redis://h,"]
    )
    func severalHosts(text: String) {
        let error = #expect(throws: RedisURLError.severalHosts) { try RedisURL(text) }
        let reason = "a list of hosts is for Sentinel or Cluster, which are not supported yet; name one host"
        #expect(error?.description == reason)
    }

    @Test("for Sentinel and Cluster are recognised as not supported yet")
    func unsupported() {
        #expect(throws: RedisURLError.notSupportedYet("redis+sentinel")) { try RedisURL("redis+sentinel://a,b/main") }
        #expect(throws: RedisURLError.notSupportedYet("redis+cluster")) { try RedisURL("redis+cluster://a,b") }
    }

    @Test("never print the password")
    func masking() throws {
        for text in ["redis://app:hunter2@cache/1", "unix://:hunter2@/run/r.sock", "rediss://:hunter2@cache"] {
            let url = try RedisURL(text)
            #expect(!"\(url) \(String(reflecting: url))".contains("hunter2"))
        }
        #expect(try RedisURL("redis://app:hunter2@cache/1").description == "redis://app:***@cache:6379/1")
    }
}

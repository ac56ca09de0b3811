import Cryptography
import Domain
import TestSupport
import Testing

@testable import Infrastructure

@Suite("The file of external issuers", .tags(.unit))
struct IssuerFileTests {
    private func read(_ text: String) -> Result<[IssuerRules], IssuerFile.Mistake> {
        do throws(IssuerFile.Mistake) {
            return .success(try IssuerFile.read(Array(text.utf8), own: "lemma"))
        } catch {
            return .failure(error)
        }
    }

    @Test("a whole entry is taken as it stands, and what may be left out has the value of the contract")
    func entries() throws {
        let text = #"""
            [
              { "issuer": "https://one.example/realms/x", "audience": ["api", "app"], "jwksURI": "https://one.example/keys",
                "algorithms": ["RS256", "EdDSA"], "userClaim": "email", "rolesClaim": "groups", "roles": { "staff": "admin" } },
              { "issuer": "https://two.example", "audience": ["api"] },
              { "issuer": "three", "audience": ["api"], "jwksURI": "http://127.0.0.1:8080/keys", "rolesClaim": "roles" }
            ]
            """#
        let issuers = try read(text).get()
        #expect(
            issuers[0]
                == IssuerRules(
                    name: "https://one.example/realms/x",
                    audience: ["api", "app"],
                    keysURL: "https://one.example/keys",
                    algorithms: [.rs256, .edDSA],
                    userClaim: "email",
                    rolesClaim: "groups",
                    roleNames: ["staff": .admin],
                )
        )
        #expect(issuers[1].algorithms == [.rs256, .es256, .edDSA] && issuers[1].userClaim == "sub")
        #expect(issuers[1].keysURL == nil && issuers[1].rolesClaim == nil)
        #expect(issuers[2].roleNames == ["admin": .admin, "student": .student])
        #expect(try read("[]").get().isEmpty)
    }

    @Test(
        "a mistake names the issuer, the member and what is allowed",
        arguments: [
            ("", "the file is no JSON"), ("{}", "the file is no JSON array"), ("[1]", "issuer 1 is no JSON object"),
            (#"[{"issuer":"https://a","issuer":"https://b"}]"#, "the member issuer occurs twice"),
            (
                #"[{"issuer":"https://a","audience":["x"],"jwksUri":"https://a"}]"#,
                "issuer 1, jwksUri: there is no such member"
            ),
            (#"[{"audience":["x"]}]"#, "issuer 1, issuer: it is missing"),
            (#"[{"issuer":"","audience":["x"]}]"#, "issuer 1, issuer: text is needed"),
            (#"[{"issuer":"http://a","audience":["x"]}]"#, "issuer 1, issuer: an https:// URL"),
            (#"[{"issuer":"https://a?x","audience":["x"]}]"#, "issuer 1, issuer: an https:// URL"),
            (#"[{"issuer":"a","audience":["x"]}]"#, "issuer 1, issuer: an https:// URL"),
            (#"[{"issuer":"https://a"}]"#, "issuer 1, audience: a list of at least one"),
            (#"[{"issuer":"https://a","audience":[]}]"#, "issuer 1, audience"),
            (#"[{"issuer":"https://a","audience":"x"}]"#, "issuer 1, audience"),
            (#"[{"issuer":"https://a","audience":[""]}]"#, "issuer 1, audience"),
            (#"[{"issuer":"https://a","audience":["x"]},{"issuer":"https://b","audience":[1]}]"#, "issuer 2, audience"),
            (
                #"[{"issuer":"https://a","audience":["x"],"jwksURI":"http://a/keys"}]"#,
                "issuer 1, jwksURI: an https:// URL"
            ),
            (#"[{"issuer":"https://a","audience":["x"],"jwksURI":"ftp://a"}]"#, "issuer 1, jwksURI"),
            (
                #"[{"issuer":"https://a","audience":["x"],"algorithms":["none"]}]"#,
                "none is not allowed; allowed: RS256, ES256, EdDSA"
            ),
            (#"[{"issuer":"https://a","audience":["x"],"algorithms":["HS256"]}]"#, "issuer 1, algorithms: HS256"),
            (#"[{"issuer":"https://a","audience":["x"],"algorithms":[]}]"#, "issuer 1, algorithms"),
            (#"[{"issuer":"https://a","audience":["x"],"userClaim":7}]"#, "issuer 1, userClaim: text is needed"),
            (
                #"[{"issuer":"https://a","audience":["x"],"roles":{"a":"admin"}}]"#,
                "issuer 1, roles: it needs a rolesClaim"
            ),
            (
                #"[{"issuer":"https://a","audience":["x"],"rolesClaim":"r","roles":{"a":"boss"}}]"#,
                "allowed: student, admin"
            ),
            (
                #"[{"issuer":"https://a","audience":["x"],"rolesClaim":"r","roles":["admin"]}]"#,
                "issuer 1, roles: an object"
            ),
            (#"[{"issuer":"lemma","audience":["x"],"jwksURI":"https://a"}]"#, "Lemma's own tokens"),
            (
                #"[{"issuer":"https://a","audience":["x"]},{"issuer":"https://a","audience":["y"]}]"#,
                "issuer 2, issuer: another entry"
            ),
        ]
    )
    func mistakes(text: String, words: String) {
        guard case .failure(let mistake) = read(text) else {
            Issue.record("\(text) was accepted")
            return
        }
        #expect(mistake.description.contains(words), "\(mistake)")
    }

    @Test(
        "keys may come by https, and by http from this machine alone",
        arguments: [
            "https://a", "https://a.example:8443/x?y=z", "https://[2001:db8::1]/", "http://localhost",
            "http://localhost:80/x",
            "http://127.0.0.1:1/", "http://127.255.0.9", "http://[::1]:8080/x",
        ]
    )
    func allowedURLs(text: String) { #expect(IssuerURL(text) != nil) }

    @Test(
        "no other address is allowed, however it is written",
        arguments: [
            "", "a", "https://", "https:///x", "http://a", "http://10.0.0.1", "http://127.0.0.1.example",
            "http://127.0.0",
            "http://localhost.example", "http://localhost@evil.example", "https://user:pw@a", "https://a:0",
            "https://a:99999",
            "https://a:b", "https://a b", "https://a\n", "https://a\\@b", "HTTP://localhost", "ftp://a",
            "file:///etc/passwd",
            "http://[::2]", "http://[::1", "http://::1", "https://ä", "http://0x7f.0.0.1", "https://[a]b",
        ]
    )
    func refusedURLs(text: String) { #expect(IssuerURL(text) == nil) }

    @Test("the metadata's address follows the issuer's name, one slash at its end left out")
    func discovery() {
        let tail = "/.well-known/openid-configuration"
        #expect(IssuerURL("https://a")?.discovery == "https://a\(tail)")
        #expect(IssuerURL("https://a/b/")?.discovery == "https://a/b\(tail)")
        #expect(IssuerURL("https://a?b")?.discovery == nil)
    }
}

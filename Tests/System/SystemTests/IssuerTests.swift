import FoundationEssentials
import TestSupport
import Testing

@Suite("Users of an external issuer", .tags(.system), .timeLimit(.minutes(2)))
struct IssuerTests {
    @Test("sign in there, own what they make here, and are the same account on every replica")
    func ownership() async throws {
        let folder = try TemporaryDirectory()
        let provider = try OpenIDProvider.start()
        defer { provider.stop() }
        let file = "\(folder.path)/issuers.json"
        let issuers = #"[{"issuer":"\#(provider.issuer)","audience":["app"],"algorithms":["RS256"]}]"#
        try issuers.write(toFile: file, atomically: true, encoding: .utf8)
        let settings = ["AUTH_REQUIRED": "true", "AUTH_ISSUERS": file]
        let (ada, grace) = (try provider.token(of: "ada", for: "app"), try provider.token(of: "grace", for: "app"))
        let other = try provider.token(of: "ada", for: "other")
        try await Deployment.running(Deployment.Plan(apis: 2, environment: settings)) { deployment in
            func get(_ path: String, _ token: String, replica: Int = 0) throws -> RawResponse {
                let headers = [("Authorization", "Bearer \(token)")]
                return try HTTPCall.send("GET", port: deployment.apis[replica].httpPort, path, headers: headers)
            }
            let answer = try deployment.api.post("1 + 1", headers: [("Authorization", "Bearer \(ada)")])
            #expect(answer.status == 202)
            let path = try #require(answer["location"])
            #expect(try get(path, ada, replica: 1).status == 200)
            #expect(try get(path, grace).status == 404)
            let foreign = try get(path, other)
            #expect(foreign.status == 401 && foreign["www-authenticate"]?.contains("another audience") == true)
            #expect(try get("/api/conversations", "lm_none").status == 401)
        }
    }
}

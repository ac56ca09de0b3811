import FoundationEssentials
import TestSupport
import Testing

@Suite("Races of refresh tokens", .tags(.system), .serialized, .timeLimit(.minutes(3)))
struct RefreshRaceTests {
    private static let plan = Deployment.Plan(apis: 2, workers: 0, environment: AccountClient.settings)

    private func token(_ response: RawResponse) throws -> String {
        try JSONDecoder().decode(AccountClient.Credentials.self, from: Data(response.body.utf8)).refreshToken
    }

    /// How many of the tokens the server accepts.
    private func living(_ tokens: [String], _ client: AccountClient) throws -> Int {
        try tokens.count(where: { try client.refresh($0).status == 200 })
    }

    @Test("of those that present one token at once, on two replicas, at most one continues", arguments: [2, 3, 8])
    func atOnce(_ count: Int) async throws {
        try await Deployment.running(Self.plan) { deployment in
            let client = deployment.accounts()
            _ = try client.register("ada@example.org")
            for _ in 0..<15 {
                let first = try client.signIn("ada@example.org").refreshToken
                let replies = try await TestSupport.atOnce(count) { try deployment.accounts($0 % 2).refresh(first) }
                #expect(replies.allSatisfy { [200, 401].contains($0.status) })
                let given = try replies.filter { $0.status == 200 }.map { try token($0) }
                #expect(given.count == 1 || given.count == 2, "the first, and the repetition of a lost reply")
                // A third presentation is a reuse, which ends the family.
                #expect(try living(given, client) == (count == 2 ? 1 : 0))
            }
        }
    }

    @Test("the token given first is void once the spent one was presented again; the second one lives")
    func repeated() async throws {
        try await Deployment.running(Self.plan) { deployment in
            let (one, other) = (deployment.accounts(0), deployment.accounts(1))
            _ = try one.register("ada@example.org")
            let first = try one.signIn("ada@example.org").refreshToken
            let lost = try token(try one.refresh(first))
            let second = try token(try other.refresh(first))
            #expect(try one.refresh(lost).status == 401)
            let third = try token(try one.refresh(second))
            #expect(try other.refresh(third).status == 200, "the void token has not ended the family")
        }
    }

    @Test("a reuse an hour later, or of an older token, ends the family on every replica")
    func reused() async throws {
        try await Deployment.running(Self.plan) { deployment in
            let (one, other) = (deployment.accounts(0), deployment.accounts(1))
            _ = try one.register("ada@example.org")
            let first = try one.signIn("ada@example.org").refreshToken
            let bystander = try one.signIn("ada@example.org").refreshToken
            let second = try token(try one.refresh(first))
            try deployment.database.sql("UPDATE sessions SET spent_at = spent_at - interval '1 hour'")
            let reuse = try other.refresh(first)
            #expect(reuse.status == 401 && reuse["www-authenticate"] != nil)
            for client in [one, other] { #expect(try client.refresh(second).status == 401) }

            let early = try one.signIn("ada@example.org").refreshToken
            let middle = try token(try one.refresh(early))
            let late = try token(try one.refresh(middle))
            #expect(try other.refresh(early).status == 401)
            #expect(try one.refresh(late).status == 401)
            #expect(try one.refresh(bystander).status == 200, "another session is not touched")
            let log = deployment.apis[1].logText
            #expect(log.contains(#""action":"refresh_reuse","outcome":"denied""#))
        }
    }

    @Test("a token of a session that was ended is worth nothing, whichever way it ended")
    func revoked() async throws {
        try await Deployment.running(Self.plan) { deployment in
            let (one, other) = (deployment.accounts(0), deployment.accounts(1))
            let ada = try one.join("ada@example.org")
            let body = #"{"refreshToken":"\#(ada.refreshToken)"}"#
            #expect(try one.send("POST", "/api/auth/logout", body).status == 204)
            #expect(try other.refresh(ada.refreshToken).status == 401)

            let second = try one.signIn("ada@example.org")
            let third = try one.signIn("ada@example.org")
            let change = #"{"currentPassword":"\#(AccountClient.password)","newPassword":"another password"}"#
            #expect(try one.send("PATCH", "/api/auth/me", change, token: third.accessToken).status == 200)
            #expect(try other.refresh(second.refreshToken).status == 401)
            let fourth = try token(try other.refresh(third.refreshToken))
            #expect(try one.send("POST", "/api/auth/logout-all", token: third.accessToken).status == 204)
            #expect(try other.refresh(fourth).status == 401)
            let living = try deployment.database.sql("SELECT count(*) FROM sessions WHERE revoked_at IS NULL")
            #expect(living.filter(\.isNumber) == "0")
        }
    }
}

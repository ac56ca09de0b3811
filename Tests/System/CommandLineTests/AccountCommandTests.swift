import FoundationEssentials
import TestSupport
import Testing

@Suite("lemma users and lemma keys", .tags(.system), .timeLimit(.minutes(3)))
struct AccountCommandTests {
    private struct User: Decodable {
        let id: String
        let email: String?
        let roles: [String]
        let disabled: Bool
    }

    private struct Key: Decodable {
        struct Limits: Decodable {
            let requestsPerMinute: Int?
            let maxActive: Int?
            let tokensPerDay: Int?
        }

        let id: String
        let name: String
        let scopes: [String]
        let expiresAt: String?
        let limits: Limits
        let actsForEndUsers: Bool
    }

    private static let password = "correct horse battery"

    /// A database, and the program that works on it.
    private struct Site {
        let database: PostgresTestDatabase
        let program: LemmaProgram

        init(migrated: Bool = true) async throws {
            database = try PostgresServer.shared.get().database()
            program = try LemmaProgram(environment: ["DATABASE_URL": database.url])
            if migrated { #expect(try await program.run(["migrate"]).status == 0) }
        }

        /// Runs the program to its end, which must be a good one.
        @discardableResult
        func run(_ words: String..., input: String = "") async throws -> String {
            let outcome = try await program.run(words, input: input)
            #expect(outcome.status == 0, "\(words): \(outcome.errors)")
            return outcome.output
        }

        /// The complaint of a run that must fail with this status.
        func failure(_ status: Int32, _ words: String..., input: String = "") async throws -> String {
            let outcome = try await program.run(words, input: input)
            #expect(outcome.status == status, "\(words): \(outcome.output) \(outcome.errors)")
            #expect(outcome.output.isEmpty, "\(words)")
            return outcome.errors
        }

        func users() async throws -> [User] { try lines(try await run("users", "list", "--json")) }
        func keys(_ email: String) async throws -> [Key] { try lines(try await run("keys", "list", email, "--json")) }

        private func lines<Line: Decodable>(_ text: String) throws -> [Line] {
            try text.split(separator: "\n").map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
        }
    }

    @Test("a user is added with the password on standard input, listed, given roles, locked out and admitted again")
    func users() async throws {
        let site = try await Site()
        #expect(try await site.users().isEmpty)
        let id = try await site.run("users", "add", "Ada@example.org", "--role", "admin", input: "\(Self.password)\n")
        try await site.run("users", "add", "bob@example.org", input: Self.password)
        var users = try await site.users()
        #expect(users.map(\.email) == ["bob@example.org", "Ada@example.org"])
        #expect(users.map(\.roles) == [["student"], ["admin", "student"]] && users.allSatisfy { !$0.disabled })
        #expect(users[1].id + "\n" == id)
        #expect(try site.database.sql("SELECT count(*) FROM users WHERE password_hash LIKE '$argon2id$%'") == "2")

        try await site.run("users", "role", "ADA@example.org", "admin", "--remove")
        try await site.run("users", "role", "bob@example.org", "admin")
        try await site.run("users", "disable", "bob@example.org")
        users = try await site.users()
        #expect(users.map(\.roles) == [["admin", "student"], ["student"]] && users.map(\.disabled) == [true, false])
        let table = try await site.run("users", "list")
        #expect(table.contains("  disabled  admin,student  bob@example.org\n"))
        #expect(table.contains("  enabled  student  Ada@example.org\n"))
        try await site.run("users", "enable", users[0].id)
        #expect(try await site.users().allSatisfy { !$0.disabled })
    }

    @Test("a new password replaces the former one and signs the user out everywhere")
    func password() async throws {
        let site = try await Site()
        try await site.run("users", "add", "ada@example.org", input: "\(Self.password)\n")
        let former = try site.database.sql("SELECT password_hash FROM users")
        try site.database.sql(
            """
            INSERT INTO sessions (id, account_id, current_token, created_at, updated_at, expires_at)
            SELECT gen_random_uuid(), id, 'digest', now(), now(), now() + interval '1 day' FROM users
            """
        )
        try await site.run("users", "password", "ada@example.org", input: "another one of 24 letters")
        let next = try site.database.sql("SELECT password_hash FROM users")
        #expect(next != former && next.hasPrefix("$argon2id$"))
        #expect(try site.database.sql("SELECT count(*) FROM sessions WHERE revoked_at IS NULL") == "0")
    }

    @Test("what is wrong is said in words: 1 for what is not there, 2 for what is no usage; no password is shown")
    func mistakes() async throws {
        let site = try await Site()
        try await site.run("users", "add", "ada@example.org", input: "\(Self.password)\n")
        let taken = try await site.failure(1, "users", "add", "ADA@example.org", input: "\(Self.password)\n")
        #expect(taken == "lemma: there is a user ADA@example.org already\n")
        let short = try await site.failure(1, "users", "add", "bob@example.org", input: "short pwd\n")
        #expect(short.contains("too short: it must have 10 to 128 characters") && !short.contains("short pwd"))
        let long = try await site.failure(
            1,
            "users",
            "password",
            "ada@example.org",
            input: String(repeating: "x", count: 129)
        )
        #expect(long.contains("too long"))
        #expect(try await site.failure(1, "users", "add", "bob@example.org").contains("too short"))
        for words in [["disable"], ["enable"], ["delete"], ["role", "admin"]] {
            let arguments = ["users", words[0], "bob@example.org"] + words.dropFirst()
            let outcome = try await site.program.run(arguments)
            #expect(outcome.status == 1 && outcome.errors == "lemma: there is no user bob@example.org\n")
        }
        let roles = try await site.failure(2, "users", "role", "ada@example.org", "teacher")
        #expect(roles.contains("ROLE is \"teacher\"") && roles.contains("allowed: student, admin"))
        #expect(try await site.failure(2, "users", "add", "bob@example.org", "--role", "x").contains("--role is \"x\""))
        #expect(
            try await site.failure(1, "users", "role", "ada@example.org", "student", "--remove").contains("every user")
        )
        #expect(try await site.failure(2, "users", "add", "nonsense").contains("an e-mail address such as"))
        #expect(try await site.failure(2, "users", "drop").contains("allowed: add, list, role"))
        #expect(try await site.failure(2, "users").contains("allowed: add, list, role"))
        #expect(try await site.failure(2, "users", "add").contains("EMAIL is missing"))
        #expect(try await site.failure(2, "users", "list", "--jsno").contains("did you mean --json?"))
        #expect(try await site.users().map(\.email) == ["ada@example.org"])
    }

    @Test("a key is printed once, listed without its secret with all that it may do, and revoked")
    func keys() async throws {
        let site = try await Site()
        try await site.run("users", "add", "ada@example.org", input: "\(Self.password)\n")
        let plain = try await site.run("keys", "add", "ada@example.org", "--name", "a server")
        let full = try await site.run(
            "keys",
            "add",
            "ada@example.org",
            "--name=\u{1F511}",
            "--scopes=read",
            "--expires=90d",
            "--requests-per-minute=7",
            "--max-active=8",
            "--tokens-per-day=9000000000",
            "--acts-for-end-users",
        )
        for text in [plain, full] { #expect(text.wholeMatch(of: /lm_[0-9A-Za-z]{49}\n/) != nil) }
        #expect(plain != full)
        let keys = try await site.keys("ADA@example.org")
        #expect(keys.map(\.name) == ["\u{1F511}", "a server"])
        #expect(keys.map(\.scopes) == [["read"], ["read", "solve"]])
        #expect(keys.map(\.actsForEndUsers) == [true, false])
        #expect(keys[0].limits.requestsPerMinute == 7 && keys[0].limits.maxActive == 8)
        #expect(keys[0].limits.tokensPerDay == 9_000_000_000 && keys[1].limits.tokensPerDay == nil)
        #expect(keys[0].expiresAt != nil && keys[1].expiresAt == nil)
        let days =
            "SELECT round(extract(epoch FROM expires_at - created_at) / 86400) FROM api_keys WHERE expires_at IS NOT NULL"
        #expect(try site.database.sql(days) == "90")
        let table = try await site.run("keys", "list", "ada@example.org")
        #expect(table.contains("  read,solve  no expiry  not used  a server\n") && !table.contains("lm_"))

        try await site.run("keys", "revoke", keys[0].id)
        #expect(try await site.keys("ada@example.org").map(\.name) == ["a server"])
        #expect(try await site.failure(1, "keys", "revoke", keys[0].id).contains("there is no API key"))
    }

    @Test("a key that cannot be is refused, with what is allowed")
    func keyMistakes() async throws {
        let site = try await Site()
        try await site.run("users", "add", "ada@example.org", input: "\(Self.password)\n")
        let add = ["keys", "add", "ada@example.org"]
        let cases: [([String], String)] = [
            ([], "--name needs a value"), (["--name", " "], "1 to 100 characters"),
            (["--name", "x", "--scopes", "write"], "allowed: a comma-separated list of read, solve"),
            (["--name", "x", "--scopes", "read,"], "--scopes is \"read,\""),
            (["--name", "x", "--expires", "2020-01-01T00:00:00Z"], "a time in the future such as"),
            (["--name", "x", "--expires", "soon"], "a duration such as 90d"),
            (["--name", "x", "--max-active", "0"], "an integer from 1"),
            (["--name", "x", "--tokens-per-day", "1.5"], "--tokens-per-day is \"1.5\""),
        ]
        for (words, reason) in cases {
            let outcome = try await site.program.run(add + words)
            #expect(outcome.status == 2 && outcome.errors.contains(reason), "\(words): \(outcome.errors)")
        }
        let unknown = try await site.failure(1, "keys", "add", "bob@example.org", "--name", "x")
        #expect(unknown == "lemma: there is no user bob@example.org\n")
        #expect(try await site.failure(2, "keys", "revoke", "7").contains("an id as keys list prints it"))
        #expect(try await site.keys("ada@example.org").isEmpty)
    }

    @Test("a database that is away, not named or not migrated is told apart")
    func database() async throws {
        let bare = try await LemmaProgram().run(["users", "list"])
        #expect(bare.status == 1 && bare.errors.contains("DATABASE_URL is not set, and no lemma dev has run"))
        let port = try LoopbackSocket.freePort()
        let away = try LemmaProgram(environment: ["DATABASE_URL": "postgres://lemma:pw@127.0.0.1:\(port)/lemma"])
        let unreachable = try await away.run(["keys", "list", "ada@example.org"])
        #expect(unreachable.status == 1 && unreachable.errors.contains("PostgreSQL cannot be reached"))
        #expect(!unreachable.errors.contains("pw@"))
        let site = try await Site(migrated: false)
        #expect(try await site.failure(1, "users", "list").contains("run lemma migrate first"))
    }

    @Test("without a worker a deletion locks the user out at once and leaves the erasure to the workers")
    func delete() async throws {
        let site = try await Site()
        try await site.run("users", "add", "ada@example.org", input: "\(Self.password)\n")
        try await site.run("keys", "add", "ada@example.org", "--name", "x")
        let run = try site.program.start(["users", "delete", "ada@example.org"])
        let begun = try await eventually {
            try site.database.sql("SELECT erasure_began_at IS NOT NULL FROM users") == "t"
        }
        #expect(begun)
        #expect(try site.database.sql("SELECT count(*) FROM api_keys") == "0")
        #expect(try site.database.sql("SELECT email IS NULL AND password_hash IS NULL FROM users") == "t")
        #expect(try await site.failure(1, "users", "disable", "ada@example.org").contains("there is no user"))
        // What a worker does last.
        try site.database.sql("DELETE FROM users")
        #expect(try await run.end().status == 0)
    }

    @Test("on a terminal the password is asked for and not shown")
    func terminal() async throws {
        let site = try await Site()
        let outcome = try await site.program.typed(
            ["users", "add", "ada@example.org"],
            keys: "wrong\u{15}\(Self.password)\r",
            after: "Password of ada@example.org: ",
        )
        #expect(!outcome.contains("correct") && !outcome.contains("wrong"))
        #expect(try await site.users().map(\.email) == ["ada@example.org"])
    }
}

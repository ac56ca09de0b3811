import FoundationEssentials
import POSIX
import TestSupport
import Testing

@Suite("lemma login, lemma logout and what lemma ask sends", .tags(.system))
struct LoginTests {
    private typealias State = ScriptedServer.State
    private static let password = "correct horse battery"
    private static let problem401 = (401, #"{"title":"Not authenticated","detail":"The token has expired."}"#)

    /// A user's folder, and the program with it; the server's port is the default one.
    private struct User {
        let folder: TemporaryDirectory
        let program: LemmaProgram

        var path: String { "\(folder.path)/lemma/credentials.json" }
        var file: String { textOfFile(path) }

        init(_ port: Int, _ environment: [String: String] = [:]) throws {
            folder = try TemporaryDirectory()
            let place = ["HTTP_PORT": "\(port)", "XDG_CONFIG_HOME": folder.path]
            program = try LemmaProgram(environment: place.merging(environment) { $1 })
        }

        func login() async throws {
            let outcome = try await program.run(["login", "--email", "a@example.org"], input: "\(password)\n")
            #expect(outcome.status == 0, "\(outcome.errors)")
        }
    }

    private static let end = ScriptedServer.Stream(
        text: "event: completed\nid: 1-1\ndata: {\"finishReason\":\"stop\"}\n\n"
    )

    @Test("A login keeps tokens where only their owner can read them, and prints none")
    func login() async throws {
        try await ScriptedServer.serve(State()) { server, port in
            let user = try User(port)
            let outcome = try await user.program.run(
                ["login", "--email", "a@example.org"],
                input: "\(Self.password)\n",
            )
            #expect(outcome.status == 0)
            #expect(outcome.output == "signed in at http://127.0.0.1:\(port) as a@example.org\n")
            #expect(outcome.errors.isEmpty)
            #expect(server.bodies == [#"{"email":"a@example.org","password":"\#(Self.password)"}"#])
            #expect(FileAccess(of: user.path)?.permissions == 0o600)
            #expect(FileAccess(of: "\(user.folder.path)/lemma")?.permissions == 0o700)
            #expect(user.file.contains(#""http://127.0.0.1:\#(port)""#) && user.file.contains("refresh-1"))
            #expect(!user.file.contains(Self.password))
        }
    }

    @Test("A terminal is asked for address and password, which it does not show")
    func terminal() async throws {
        try await ScriptedServer.serve(State()) { server, port in
            let user = try User(port)
            let answers = [
                (prompt: "E-mail address: ", text: "a@example.org\n"),
                (prompt: "Password of a@example.org", text: "\(Self.password)x\u{7F}\n"),
            ]
            let outcome = try await user.program.runOnTerminal(["login"], answers: answers)
            #expect(outcome.status == 0, "\(outcome.output)")
            #expect(outcome.output.contains("signed in at"))
            #expect(!outcome.output.contains("horse"))
            #expect(server.bodies == [#"{"email":"a@example.org","password":"\#(Self.password)"}"#])
            let interrupted = try await user.program.runOnTerminal(
                ["login", "--email", "a@example.org"],
                answers: [(prompt: "Password of", text: "\u{03}")],
            )
            #expect(interrupted.status == 130)
            #expect(server.bodies.count == 1)
        }
    }

    @Test("A login that the server rejects says why and keeps nothing")
    func rejected() async throws {
        var state = State()
        state.retryAfter = "7"
        let cases = [
            (401, #"{"title":"Wrong e-mail address or password"}"#, "Wrong e-mail address or password"),
            (429, #"{"title":"Too many attempts"}"#, "try again in 7 s"),
            (404, #"{"title":"Not found"}"#, "Not found"),
        ]
        for (status, body, words) in cases {
            state.login = (status, body)
            try await ScriptedServer.serve(state) { _, port in
                let user = try User(port)
                let outcome = try await user.program.run(["login", "--email", "a@b"], input: "x\n")
                #expect(outcome.status == 1)
                #expect(outcome.errors.contains(words))
                #expect(FileAccess(of: user.path) == nil)
            }
        }
        let usage = try await LemmaProgram(environment: ["HOME": "/nowhere"]).run(["login"], input: "x\n")
        #expect(usage.status == 2)
        #expect(usage.errors.contains("--email EMAIL is missing"))
        let homeless = try await LemmaProgram().run(["login", "--email", "a@b"], input: "x\n")
        #expect(homeless.status == 1)
        #expect(homeless.errors.contains("neither HOME nor XDG_CONFIG_HOME is set"))
    }

    @Test("A second login at a server replaces the first and ends its session; other servers keep theirs")
    func secondLogin() async throws {
        try await ScriptedServer.serve(State()) { server, port in
            try await ScriptedServer.serve(State()) { _, otherPort in
                let user = try User(port)
                try await user.login()
                let other = ["login", "--email", "b@example.org", "--url", "http://127.0.0.1:\(otherPort)"]
                #expect(try await user.program.run(other, input: "\(Self.password)\n").status == 0)
                try await user.login()
                #expect(server.requests.last == "POST /api/auth/logout")
                #expect(server.bodies.last == #"{"refreshToken":"refresh-1"}"#)
                #expect(user.file.contains("a@example.org") && user.file.contains("b@example.org"))
            }
        }
    }

    @Test("lemma ask acts as the user of the login, with the abort too")
    func ask() async throws {
        var state = State()
        let token = "event: token\nid: 1-1\ndata: {\"text\":\"a\"}\n\n"
        state.streams = [ScriptedServer.Stream(text: token, ending: .silence)]
        try await ScriptedServer.serve(state) { server, port in
            let user = try User(port)
            try await user.login()
            let run = try user.program.start(["ask", "x"])
            #expect(try await eventually(within: .seconds(10)) { run.output == "a" })
            run.interrupt()
            #expect(try await run.end().errors == "aborted\n")
            let id = ScriptedServer.id
            #expect(
                server.requests.dropFirst() == [
                    "POST /api/math/solve", "GET /api/math/stream/\(id)?ticket=t1", "DELETE /api/math/requests/\(id)",
                ]
            )
            #expect(server.authorizations.dropFirst() == ["Bearer access-1", "", "Bearer access-1"])
        }
    }

    @Test("An access token that ends soon is renewed first, and the new tokens are kept")
    func renewal() async throws {
        var state = State()
        state.login = (200, ScriptedServer.tokens(1, seconds: 10))
        state.refreshes = [(200, ScriptedServer.tokens(2))]
        state.streams = [Self.end, Self.end]
        try await ScriptedServer.serve(state) { server, port in
            let user = try User(port)
            try await user.login()
            for _ in 1...2 { #expect(try await user.program.run(["ask", "x"]).status == 0) }
            #expect(server.requests.count { $0 == "POST /api/auth/refresh" } == 1)
            #expect(server.authorizations.filter { !$0.isEmpty } == ["Bearer access-2", "Bearer access-2"])
            #expect(user.file.contains("refresh-2") && !user.file.contains("refresh-1"))
            #expect(FileAccess(of: user.path)?.permissions == 0o600)
        }
    }

    @Test("A rejected access token is renewed once and the submission repeated with its Idempotency-Key")
    func rejectedToken() async throws {
        var state = State()
        state.firstSubmissions = [Self.problem401]
        state.refreshes = [(200, ScriptedServer.tokens(2))]
        state.streams = [Self.end]
        try await ScriptedServer.serve(state) { server, port in
            let user = try User(port)
            try await user.login()
            #expect(try await user.program.run(["ask", "x"]).status == 0)
            #expect(server.authorizations.filter { !$0.isEmpty } == ["Bearer access-1", "Bearer access-2"])
        }
    }

    @Test("Of two terminals that renew at once, one asks the server and the other one uses its tokens")
    func race() async throws {
        var state = State()
        state.login = (200, ScriptedServer.tokens(1, seconds: 10))
        state.refreshes = [(200, ScriptedServer.tokens(2))]
        state.streams = Array(repeating: Self.end, count: 6)
        try await ScriptedServer.serve(state) { server, port in
            let user = try User(port)
            try await user.login()
            let programs = try (1...6).map { _ in
                try LemmaProgram(environment: ["HTTP_PORT": "\(port)", "XDG_CONFIG_HOME": user.folder.path])
            }
            let runs = try programs.map { try $0.start(["ask", "x"]) }
            for run in runs { #expect(try await run.end().status == 0) }
            #expect(server.requests.count { $0 == "POST /api/auth/refresh" } == 1)
            #expect(server.authorizations.filter { !$0.isEmpty } == Array(repeating: "Bearer access-2", count: 6))
        }
    }

    @Test("A login that has ended says how to sign in again, and is forgotten")
    func ended() async throws {
        var state = State()
        state.login = (200, ScriptedServer.tokens(1, seconds: 10))
        try await ScriptedServer.serve(state) { server, port in
            let user = try User(port)
            try await user.login()
            let outcome = try await user.program.run(["ask", "x", "--json"])
            let words = "has ended; sign in again: lemma login --url http://127.0.0.1:\(port)"
            #expect(outcome.status == 1)
            #expect(outcome.errors.contains(words))
            #expect(outcome.output.contains("has ended; sign in again: lemma login"))
            #expect(!user.file.contains("refresh-1"))
            #expect(server.requests.last == "POST /api/auth/refresh")
        }
    }

    @Test("A server that is away for a moment does not end the login")
    func unavailable() async throws {
        var state = State()
        state.login = (200, ScriptedServer.tokens(1, seconds: 10))
        state.refreshes = [(503, #"{"title":"PostgreSQL is away"}"#)]
        try await ScriptedServer.serve(state) { _, port in
            let user = try User(port)
            try await user.login()
            let outcome = try await user.program.run(["ask", "x"])
            #expect(outcome.status == 1)
            #expect(outcome.errors == "lemma: PostgreSQL is away\n")
            #expect(user.file.contains("refresh-1"))
        }
    }

    @Test("LEMMA_API_KEY works without a login and takes precedence over one")
    func key() async throws {
        var state = State()
        state.streams = [Self.end]
        try await ScriptedServer.serve(state) { server, port in
            let user = try User(port, ["LEMMA_API_KEY": "lm_key"])
            try await user.login()
            #expect(try await user.program.run(["ask", "x"]).status == 0)
            #expect(server.authorizations == ["", "Bearer lm_key", ""])
        }
        state.submission = Self.problem401
        try await ScriptedServer.serve(state) { server, port in
            let outcome = try await User(port, ["LEMMA_API_KEY": "lm_key"]).program.run(["ask", "x"])
            #expect(outcome.status == 1)
            #expect(outcome.errors.contains("the API key is the one in LEMMA_API_KEY"))
            #expect(!outcome.errors.contains("lm_key"))
            #expect(server.requests.count == 1)
        }
    }

    @Test("Without credentials a 401 says what to do; a 403 and a 429 are told in the server's words")
    func rejections() async throws {
        var state = State()
        state.retryAfter = "30000"
        let forbidden = #"{"title":"Not allowed","detail":"The API key needs the scope solve."}"#
        let exhausted = #"{"title":"The daily budget is used up"}"#
        let cases: [((Int, String), String)] = [
            (Self.problem401, "sign in: lemma login --url http://127.0.0.1:"),
            ((403, forbidden), "Not allowed: The API key needs the scope solve."),
            ((429, exhausted), "The daily budget is used up\ntry again in 9 h"),
        ]
        for (submission, words) in cases {
            state.submission = submission
            try await ScriptedServer.serve(state) { server, port in
                let outcome = try await User(port).program.run(["ask", "x"])
                #expect(outcome.status == 1)
                #expect(outcome.errors.contains(words), "\(outcome.errors)")
                #expect(server.requests == ["POST /api/math/solve"])
            }
        }
    }

    @Test("A credentials file that others can read, or that is damaged, is not used", arguments: [true, false])
    func unusable(isDamaged: Bool) async throws {
        try await ScriptedServer.serve(State()) { server, port in
            let user = try User(port)
            try await user.login()
            if isDamaged {
                try FileManager.default.removeItem(atPath: user.path)
                let attributes: [FileAttributeKey: Any] = [.posixPermissions: 0o600]
                let half = Data("{\"servers\": {".utf8)
                #expect(FileManager.default.createFile(atPath: user.path, contents: half, attributes: attributes))
            } else {
                try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: user.path)
            }
            let commands = [["ask", "x"], ["logout"], ["login", "--email", "a@example.org"]]
            for arguments in commands {
                let outcome = try await user.program.run(arguments, input: Self.password)
                #expect(outcome.status == 1)
                #expect(outcome.errors.contains(isDamaged ? "is damaged" : "its mode is 640"), "\(outcome.errors)")
                #expect(outcome.errors.contains(user.path))
            }
            #expect(!server.requests.contains("POST /api/math/solve"))
            #expect(server.requests.last == "POST /api/auth/logout", "the session that could not be kept was ended")
        }
    }

    @Test(
        "A logout removes the tokens and ends the session; where the server was not told of it, it says so",
        arguments: [(204, Int32(0)), (401, 0), (503, 1)],
    )
    func logout(answer: Int, status: Int32) async throws {
        var state = State()
        state.logout = answer
        try await ScriptedServer.serve(state) { server, port in
            let user = try User(port)
            try await user.login()
            let outcome = try await user.program.run(["logout"])
            #expect(outcome.status == status)
            #expect(outcome.output.hasPrefix("signed out at") == (status == 0))
            #expect(outcome.errors.contains("the server was not told") == (status == 1))
            #expect(server.bodies.last == #"{"refreshToken":"refresh-1"}"#)
            #expect(!user.file.contains("refresh-1"))
            let again = try await user.program.run(["logout"])
            #expect(again.status == 0)
            #expect(again.output.hasPrefix("not signed in at"))
        }
    }

    @Test("A password over http to another machine is warned about")
    func unencrypted() async throws {
        try await ScriptedServer.serve(State()) { _, port in
            let user = try User(port, ["http_proxy": "http://127.0.0.1:\(port)"])
            let arguments = ["login", "--email", "a@example.org", "--url", "http://lemma.invalid"]
            let outcome = try await user.program.run(arguments, input: Self.password)
            #expect(outcome.errors.contains("http://lemma.invalid is not https: the password is sent unencrypted"))
        }
    }
}

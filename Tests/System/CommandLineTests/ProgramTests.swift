import FoundationEssentials
import TestSupport
import Testing

@Suite("lemma: commands and configuration", .tags(.system))
struct ProgramTests {
    private static let commands = [
        "dev", "api", "worker", "migrate", "ask", "login", "logout", "bench", "dead-letters", "users", "keys", "config",
        "healthcheck",
    ]

    @Test("Every command has --help and --version, on standard output, with exit 0", arguments: commands)
    func help(command: String) async throws {
        let program = try LemmaProgram()
        let help = try await program.run([command, "--help"])
        #expect(help.status == 0)
        #expect(help.output.contains("usage: lemma \(command)"))
        #expect(help.errors.isEmpty)
        let version = try await program.run([command, "--version"])
        #expect(version.status == 0)
        #expect(version.output.wholeMatch(of: /lemma \d+\.\d+\.\d+\n/) != nil)
    }

    @Test("The program's own help lists the commands that there are, and nothing else")
    func overview() async throws {
        let program = try LemmaProgram()
        let help = try await program.run(["--help"])
        #expect(help.status == 0)
        let listed = help.output.matches(of: /(?m)^\s{2}([a-z][a-z-]+)\s{2,}\S/).map { String($0.output.1) }
        #expect(listed == Self.commands)
        #expect(try await program.run(["help", "config"]).output.hasPrefix("usage: lemma config"))
        let bare = try await program.run([])
        #expect(bare.status == 2)
        #expect(bare.output.isEmpty)
        #expect(bare.errors == help.output)
    }

    @Test("Wrong usage exits 2 with the reason on standard error and the near name")
    func usage() async throws {
        let program = try LemmaProgram()
        let cases: [([String], String)] = [
            (["confg"], "did you mean config?"),
            (["serve"], "no command"),
            (["--versoin"], "did you mean --version?"),
            (["config", "--jsno"], "did you mean --json?"),
            (["config", "--role", "x"], "allowed: api, worker, dev"),
            (["config", "x"], "unexpected argument \"x\""),
            (["api", "--port", "1"], "no option --port"),
            (["ask"], "PROBLEM is missing"),
            (["ask", " "], "not empty"),
            (["ask", "x", "--conversation", "Roots"], "--conversation"),
            (["ask", "x", "--conversation", "Roots"], "allowed: the id of a conversation"),
            (["ask", "x", "--url", "ftp://a"], "allowed: http://HOST[:PORT]"),
            (["ask", "2x", "+", "3"], "unexpected argument \"+\""),
            (["healthcheck", "--url", "x"], "allowed:"),
            (["dead-letters"], "an action is missing; the actions are: list, show ID, redrive ID, drop ID\nusage: "),
            (["dead-letters", "burn"], "the action is \"burn\", which is not allowed; allowed: list, show ID"),
            (["dead-letters", "burn"], "       lemma dead-letters drop ID [--records]\n"),
            (["dead-letters", "show"], "ID is missing\nusage: lemma dead-letters show"),
        ]
        for (arguments, reason) in cases {
            let outcome = try await program.run(arguments)
            #expect(outcome.status == 2, "\(arguments)")
            #expect(outcome.output.isEmpty, "\(arguments)")
            #expect(outcome.errors.contains(reason), "\(arguments): \(outcome.errors)")
        }
    }

    @Test("Output that cannot be written is reported with the system's reason and exit 1")
    func fullDisk() async throws {
        for arguments in [["--help"], ["config", "--help"]] {
            let outcome = try await LemmaProgram().run(arguments, output: "/dev/full")
            #expect(outcome.status == 1)
            #expect(outcome.errors == "lemma: the output cannot be written: No space left on device\n")
        }
    }

    @Test("A configuration mistake names variable, value and what is allowed, in every command, with exit 2")
    func mistake() async throws {
        let program = try LemmaProgram(environment: ["HTTP_PORT": "eighty", "JOB_LEASE": "soon"])
        for arguments in [["config"], ["api"], ["worker"], ["migrate"], ["dev"], ["ask", "x"], ["healthcheck"]] {
            let outcome = try await program.run(arguments)
            #expect(outcome.status == 2, "\(arguments)")
            #expect(outcome.output.isEmpty, "\(arguments)")
            #expect(outcome.errors.contains("HTTP_PORT is \"eighty\" (environment), which is not allowed; allowed: "))
            #expect(outcome.errors.contains("JOB_LEASE is \"soon\""))
        }
        let bare = try await LemmaProgram().run(["config", "--role", "api"])
        #expect(bare.status == 2)
        #expect(bare.errors.contains("REDIS_URL is required"))
        #expect(bare.errors.contains("DATABASE_URL is required"))
        let migrate = try await LemmaProgram().run(["migrate"])
        #expect(migrate.status == 2)
        #expect(migrate.errors.contains("DATABASE_URL is required"))
    }

    @Test(
        "A value that only its user can judge is a configuration mistake too: reported with the others, with exit 2",
        arguments: [
            ("REDIS_URL", "redis://h/abc", "the database must be a number"),
            ("REDIS_URL", "redis://h:99999", "the port must be 1 to 65535"),
            ("REDIS_URL", "rediss://h?ssl_cert_reqs=required", "no option ssl_cert_reqs; remove it: rediss:// always"),
            (
                "REDIS_URL", "rediss://h/1?ssl_ca_certs=/ca.pem",
                "no option ssl_ca_certs; remove it, and name the file in"
            ),
            ("REDIS_URL", "redis://h?db=1", "write the database's number behind the host"),
            ("REDIS_URL", "redis://h,h2:1/0", "a list of hosts is for Sentinel or Cluster"),
            ("REDIS_URL", "redis://h#frag", "a part after # has no meaning"),
            ("REDIS_URL", "redis+sentinel://a,b/main", "redis+sentinel:// is reserved for a later release"),
            ("REDIS_URL", "redis://:hun/ter2@h/1", "a / in user or password must be percent-encoded"),
            ("DATABASE_URL", "postgres://h/d?sslmod=require", "it is no URI of the form postgres://"),
            ("MOCK_SCRIPT", "/nowhere", "the file cannot be read"),
            ("REDIS_TLS_CA", "/nowhere", "No such file or directory"),
        ],
    )
    func unusable(name: String, value: String, reason: String) async throws {
        var environment = [
            "REDIS_URL": "rediss://h", "DATABASE_URL": "postgres://h/d", "AI_PROVIDERS": "mock", "HTTP_PORT": "eighty",
            "JWT_SECRET": "0123456789abcdef0123456789abcdef",
        ]
        environment[name] = value
        let program = try LemmaProgram(environment: environment)
        for arguments in [["config"], ["config", "--role", "worker"], ["api"], ["worker"], ["dev"]] {
            let outcome = try await program.run(arguments)
            #expect(outcome.status == 2, "\(arguments)")
            #expect(outcome.output.isEmpty, "\(arguments)")
            #expect(outcome.errors.contains("\n  \(name) is \""), "\(arguments): \(outcome.errors)")
            #expect(outcome.errors.contains("which cannot be used: "), "\(arguments): \(outcome.errors)")
            #expect(outcome.errors.contains(reason), "\(arguments): \(outcome.errors)")
            #expect(outcome.errors.contains("HTTP_PORT is \"eighty\""), "\(arguments)")
            #expect(!outcome.errors.contains("hun") && !outcome.errors.contains("ter2"))
        }
    }

    @Test("A mistake in the file of external issuers names the file, the issuer and the member, with exit 2")
    func issuers() async throws {
        let folder = try TemporaryDirectory()
        let path = "\(folder.path)/issuers.json"
        let cases = [
            (
                #"[{"issuer":"https://a","audience":["x"]},{"issuer":"https://b"}]"#,
                "issuer 2, audience: a list of at least one"
            ),
            (#"[{"issuer":"https://a","audience":["x"],"algorithms":["none"]}]"#, "allowed: RS256, ES256, EdDSA"),
            (#"[{"issuer":"own","audience":["x"],"jwksURI":"https://a"}]"#, "Lemma's own tokens have this issuer"),
            (nil, "the file cannot be read"),
        ]
        for (text, reason) in cases {
            try? FileManager.default.removeItem(atPath: path)
            try text?.write(toFile: path, atomically: true, encoding: .utf8)
            let program = try LemmaProgram(environment: ["AUTH_ISSUERS": path, "JWT_ISSUER": "own"])
            let outcome = try await program.run(["dev"])
            #expect(outcome.status == 2)
            #expect(outcome.errors.contains("AUTH_ISSUERS is \"\(path)\" (environment), which cannot be used: "))
            #expect(outcome.errors.contains(reason), "\(outcome.errors)")
        }
    }

    @Test("A port that another process has is named with its address and settings, with exit 1")
    func portTaken() async throws {
        try await ScriptedServer.serve(ScriptedServer.State()) { _, port in
            var environment = [
                "REDIS_URL": "redis://127.0.0.1:1", "DATABASE_URL": "postgres://127.0.0.1:1/d", "AI_PROVIDERS": "mock",
                "JWT_SECRET": "0123456789abcdef0123456789abcdef", "OPS_HOST": "127.0.0.1", "OPS_PORT": "0",
                "HTTP_HOST": "127.0.0.1", "HTTP_PORT": "0", "EVENT_LOOPS": "1",
            ]
            for kind in ["HTTP", "OPS"] {
                environment["\(kind)_PORT"] = "\(port)"
                let outcome = try await LemmaProgram(environment: environment).run(["api"])
                environment["\(kind)_PORT"] = "0"
                #expect(outcome.status == 1)
                #expect(
                    outcome.errors.contains(
                        "127.0.0.1:\(port) (\(kind)_HOST, \(kind)_PORT) cannot be listened on: another process listens there"
                    ),
                    "\(outcome.errors)"
                )
            }
        }
    }

    @Test("lemma config shows every value with its source and no secret, as text and as JSON")
    func config() async throws {
        let program = try LemmaProgram(environment: [
            "REDIS_URL": "redis://user:hunter2@redis.example:6379/0", "AI_PROVIDERS": "openai",
            "DATABASE_URL": "postgres://lemma:hunter2@db.example/lemma", "OPENAI_API_KEY": "sk-very-secret",
            "JWT_SECRET": "0123456789abcdef0123456789abcdef",
        ])
        try program.writeDotEnv("HTTP_PORT=8181\nREDIS_URL=redis://other\nHTTP_PROT=1\n")
        for arguments in [["config", "--role", "api"], ["config", "--role=api", "--json"]] {
            let outcome = try await program.run(arguments)
            #expect(outcome.status == 0)
            for secret in ["hunter2", "sk-very-secret", "0123456789abcdef"] {
                #expect(!outcome.output.contains(secret))
                #expect(!outcome.errors.contains(secret))
            }
            #expect(outcome.output.contains("redis://user:***@redis.example:6379/0"))
            #expect(outcome.errors.contains("HTTP_PROT"))
        }
        let text = try await program.run(["config", "--role", "api"]).output
        #expect(text.firstMatch(of: /(?m)^HTTP_PORT +8181 +\.env$/) != nil)
        #expect(text.firstMatch(of: /(?m)^REDIS_URL .* environment$/) != nil)
        #expect(text.firstMatch(of: /(?m)^OPS_PORT +9090 +default$/) != nil)
        #expect(text.firstMatch(of: /(?m)^HTTP_TLS_CERT +- +default$/) != nil)
        let json = try await program.run(["config", "--role", "api", "--json"]).output
        #expect(json.contains(#"{"name":"HTTP_PORT","value":"8181","source":".env"}"#))
        #expect(json.contains(#"{"name":"HTTP_TLS_CERT","value":null,"source":"default"}"#))
    }

    @Test("lemma healthcheck exits 0 when ready, else 1 with the reason")
    func healthcheck() async throws {
        try await ScriptedServer.serve(ScriptedServer.State()) { _, port in
            for arguments in [["healthcheck"], ["healthcheck", "--url", "http://127.0.0.1:\(port)"]] {
                let outcome = try await LemmaProgram(environment: ["OPS_PORT": "\(port)"]).run(arguments)
                #expect(outcome.status == 0)
                #expect(outcome.errors.isEmpty)
            }
            let elsewhere = try await LemmaProgram().run(["healthcheck", "--url", "http://127.0.0.1:\(port)/other"])
            #expect(elsewhere.status == 1)
            #expect(elsewhere.errors.contains("404"))
        }
        var state = ScriptedServer.State()
        state.readiness = (503, #"{"status":"not_ready","reason":"draining","checks":{}}"#)
        try await ScriptedServer.serve(state) { _, port in
            let outcome = try await LemmaProgram(environment: ["OPS_PORT": "\(port)"]).run(["healthcheck"])
            #expect(outcome.status == 1)
            #expect(outcome.errors == "lemma: not ready: draining\n")
        }
        let port = try LoopbackSocket.freePort()
        let nobody = try await LemmaProgram(environment: ["OPS_PORT": "\(port)"]).run(["healthcheck"])
        #expect(nobody.status == 1)
        #expect(nobody.errors.contains("could not be reached"))
    }
}

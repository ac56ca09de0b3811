import Settings
import TestSupport
import Testing

@testable import LemmaSettings

@Suite("The configuration", .tags(.unit))
struct ConfigurationTests {
    private static let key = String(repeating: "k", count: 32)
    private static let replica = [
        "REDIS_URL": "redis://h", "DATABASE_URL": "postgres://h/d", "JWT_SECRET": key, "AI_PROVIDERS": "mock",
    ]

    private func mistakes(_ environment: [String: String], dotEnv: String? = nil, role: Role = .dev) -> [SettingMistake]
    {
        do {
            _ = try Configuration.load(environment: environment, dotEnv: dotEnv, role: role)
            return []
        } catch {
            return error.mistakes
        }
    }

    @Test("dev and client need no configuration")
    func noConfiguration() throws {
        let dev = try Configuration.load(environment: [:], dotEnv: nil, role: .dev).configuration
        #expect(dev.ai.providers == [.local])
        #expect(dev.auth.required == false)
        #expect(dev.limits.solve == nil)
        #expect(dev.limits.auth == nil && dev.limits.addressMaxConnections == nil)
        #expect(dev.redis.url == nil)
        #expect(dev.otel.serviceName == "lemma-dev")
        let client = try Configuration.load(environment: [:], dotEnv: nil, role: .client).configuration
        #expect(client.ai.providers == [])
        #expect(client.auth.required)
    }

    @Test("the defaults of a replica are the contract's")
    func defaults() throws {
        let surroundings = Surroundings(role: .api, processors: 3)
        let value = try Configuration.load(environment: Self.replica, dotEnv: nil, in: surroundings).configuration
        #expect(value.http.host == "0.0.0.0" && value.http.port == 8080 && value.ops.port == 9090)
        #expect(value.eventLoops == 3)
        #expect(value.auth.accessTTL == .seconds(900) && value.auth.refreshTTL == .seconds(2_592_000))
        #expect(value.auth.required)
        #expect(value.calls.connectTimeout == .seconds(5) && value.calls.firstTokenTimeout == .seconds(30))
        #expect(value.calls.idleTimeout == .seconds(30) && value.calls.totalTimeout == .seconds(600))
        #expect(value.calls.maxRetries == 2 && value.calls.hedgeAfter == nil && value.calls.maxConcurrency == 200)
        #expect(value.calls.breakerFailures == 5 && value.calls.breakerOpen == .seconds(30))
        #expect(value.mock.tokens == nil && value.mock.content == .echo && value.mock.tokenDelay == .zero)
        #expect(value.jobs.concurrency == 256 && value.jobs.partitions == 1 && value.jobs.maxAttempts == 3)
        #expect(value.jobs.lease == .seconds(30) && value.jobs.queueMaxDepth == 10_000)
        #expect(value.stream.ttlLive == .seconds(3600) && value.stream.ttlDone == .seconds(600))
        #expect(value.stream.heartbeat == .seconds(15) && value.stream.bufferBytesMax == 262_144)
        #expect(value.stream.disconnectGrace == .seconds(10) && value.drainGrace == .seconds(25))
        #expect(value.limits.solve == Rate(count: 60, period: .seconds(60)))
        #expect(value.limits.auth == Rate(count: 10, period: .seconds(60)))
        #expect(value.limits.userDailyTokens == nil && value.limits.addressMaxConnections == 1000)
        #expect(value.limits.userMaxActive == 4 && value.limits.corsOrigins == [] && value.limits.trustedProxies == [])
        #expect(value.context.maxTurns == 20 && value.context.maxTokens == 8000)
        #expect(value.logging.level == .info && value.logging.format == .json)
        #expect(value.otel.tracesURL == nil && value.otel.serviceName == "lemma-api")
        #expect(value.otel.sampler == .parentAlwaysOn && value.otel.samplerRatio == 1)
    }

    @Test("a replica reports everything it lacks at once", arguments: [Role.api, .worker])
    func required(role: Role) {
        let names = mistakes([:], role: role).compactMap { mistake in
            if case .missing(let name, _) = mistake { name } else { nil }
        }
        let secret = role == .api ? ["JWT_SECRET"] : []
        #expect(names == ["REDIS_URL", "DATABASE_URL"] + secret + ["AI_PROVIDERS"], "a worker checks no tokens")
    }

    @Test("the environment wins over .env, and an empty value counts as not set")
    func sources() throws {
        let environment = ["HTTP_PORT": "1", "OPS_PORT": "", "PATH": "/bin"]
        let loaded = try Configuration.load(
            environment: environment,
            dotEnv: "HTTP_PORT=2\nOPS_PORT=3\nJOB_PARTITIONS=8\nOPS_HOST=",
            role: .dev
        )
        #expect(loaded.configuration.http.port == 1)
        #expect(loaded.configuration.ops.port == 9090)
        #expect(loaded.configuration.ops.host == "0.0.0.0")
        #expect(loaded.configuration.jobs.partitions == 8)
        #expect(loaded.warnings == [])
        let sources = Dictionary(uniqueKeysWithValues: loaded.rows.map { ($0.name, $0.source) })
        #expect(sources["HTTP_PORT"] == .environment)
        #expect(sources["OPS_PORT"] == .default)
        #expect(sources["JOB_PARTITIONS"] == .dotEnv)
    }

    @Test("all mistakes come together, each with variable, value and what is allowed")
    func together() {
        let found = mistakes(
            ["HTTP_PORT": "99999", "JOB_LEASE": "soon", "JWT_SECRET": "short,too", "REDIS_URL": "http://u:hunter2@h"],
            dotEnv: "what\nLOG_LEVEL=loud"
        )
        let text = InvalidSettings(mistakes: found).description
        #expect(found.count == 6)
        #expect(
            text.contains(
                "HTTP_PORT is \"99999\" (environment), which is not allowed; allowed: an integer from 0 to 65535"
            )
        )
        #expect(text.contains("JOB_LEASE is \"soon\""))
        #expect(text.contains("LOG_LEVEL is \"loud\" (.env)"))
        #expect(text.contains("JWT_SECRET is \"***\""))
        #expect(text.contains(".env line 1"))
        #expect(!text.contains("short") && !text.contains("hunter2"))
    }

    @Test("certificate and key come together")
    func tls() {
        #expect(mistakes(["HTTP_TLS_CERT": "a"]).count == 1)
        #expect(mistakes(["HTTP_TLS_KEY": "b"]).count == 1)
        #expect(mistakes(["HTTP_TLS_CERT": "a", "HTTP_TLS_KEY": "b"]).isEmpty)
    }

    @Test("files for TLS to Redis: certificate and key come together, and where nothing uses them a warning says so")
    func redisTLS() throws {
        #expect(mistakes(["REDIS_TLS_CERT": "a"]).count == 1)
        #expect(mistakes(["REDIS_TLS_KEY": "b"]).count == 1)
        let files = ["REDIS_TLS_CA": "c", "REDIS_TLS_CERT": "a", "REDIS_TLS_KEY": "b"]
        for (url, warnings) in [("rediss://h", 0), ("redis://h", 3)] {
            let environment = files.merging(["REDIS_URL": url]) { $1 }
            let loaded = try Configuration.load(environment: environment, dotEnv: nil, role: .dev)
            #expect(loaded.warnings.count == warnings)
            #expect(
                loaded.warnings.allSatisfy { $0.contains("has no effect: REDIS_URL does not begin with rediss://") }
            )
        }
    }

    @Test("the checks of the modules that use the values are reported with all other mistakes, secrets masked")
    func checks() {
        let error = #expect(throws: InvalidSettings.self) {
            try Configuration.load(
                environment: ["REDIS_URL": "redis://:hunter2@h/x", "HTTP_PORT": "x"],
                dotEnv: nil,
                in: Surroundings(role: .dev),
            ) { $1.refuse("REDIS_URL", because: "it is odd") }
        }
        let text = error?.description ?? ""
        #expect(error?.mistakes.count == 2)
        #expect(text.contains(#"REDIS_URL is "redis://:***@h/x" (environment), which cannot be used: it is odd"#))
    }

    @Test("the chain of providers keeps its order and names none twice")
    func providers() throws {
        let environment = [
            "AI_PROVIDERS": "openai, local", "OPENAI_MODEL": "m", "OPENAI_BASE_URL": "http://host:8/v1/",
        ]
        let loaded = try Configuration.load(environment: environment, dotEnv: nil, role: .dev)
        #expect(loaded.configuration.ai.providers.map(\.rawValue) == ["openai", "local"])
        let endpoint = try #require(loaded.configuration.ai.endpoints["openai"])
        #expect(endpoint.baseURL == "http://host:8/v1")
        #expect(endpoint.apiKey == nil, "a server of one's own needs none")
        #expect(mistakes(["AI_PROVIDERS": "mock,mock"]).count == 1)
        #expect(mistakes(["AI_PROVIDERS": "gpt"]).count == 1)
    }

    @Test(
        "a remote provider that is asked needs a model; only the processes that ask it need one",
        arguments: Role.allCases
    )
    func models(role: Role) {
        let given = [
            "AI_PROVIDERS": "gemini,openai", "REDIS_URL": "redis://host", "DATABASE_URL": "postgres://host/lemma",
            "JWT_SECRET": Self.key, "OPENAI_MODEL": "m",
        ]
        var mistakes: [SettingMistake] = []
        do throws(InvalidSettings) {
            _ = try Configuration.load(environment: given, dotEnv: nil, role: role)
        } catch {
            mistakes = error.mistakes
        }
        let text = mistakes.map(\.description).joined()
        #expect(text.hasPrefix("GEMINI_MODEL is required and not set; allowed: ") == (role == .dev || role == .worker))
        #expect(mistakes.count <= 1)
    }

    @Test("a provider in the process is limited only where the setting is set")
    func concurrency() throws {
        for (value, local, remote) in [("", Int.max, 200), ("7", 7, 7)] {
            let environment = value.isEmpty ? [:] : ["AI_MAX_CONCURRENCY": value]
            let calls = try Configuration.load(environment: environment, dotEnv: nil, role: .dev).configuration.calls
            for provider in Configuration.AI.Provider.allCases {
                let isLocal = [.local, .mock].contains(provider)
                #expect(calls.callsMax(of: provider) == (isLocal ? local : remote), "\(provider.rawValue)")
            }
        }
    }

    @Test("a list of keys rotates, each long enough")
    func keys() throws {
        let other = String(repeating: "o", count: 40)
        let environment = ["JWT_SECRET": "\(Self.key), \(other)"]
        let value = try Configuration.load(environment: environment, dotEnv: nil, role: .dev).configuration
        #expect(value.auth.jwtSecrets.map { $0.reveal() } == [Self.key, other])
        #expect(mistakes(["JWT_SECRET": "\(Self.key),short"]).count == 1)
    }

    @Test("header fields for the collector are names with values, which may be percent-encoded")
    func headerFields() throws {
        let environment = ["OTEL_EXPORTER_OTLP_HEADERS": "Api-Key=a=b , x-scope = one%2Ctwo"]
        let value = try Configuration.load(environment: environment, dotEnv: nil, role: .dev).configuration
        #expect(value.otel.headers.map(\.name) == ["Api-Key", "x-scope"])
        #expect(value.otel.headers.map { $0.value.reveal() } == ["a=b", "one,two"])
        for wrong in ["no mark", "=value", "a b=c", "a=%0d%0ab: c", "a=%zz", "a=1,,b=2", "ä=1"] {
            #expect(mistakes(["OTEL_EXPORTER_OTLP_HEADERS": wrong]).count == 1, "\(wrong)")
        }
    }

    @Test("traces go to the endpoint of traces as it is, else below the general one")
    func tracesEndpoint() throws {
        let (base, traces) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
        let cases: [([String: String], String?)] = [
            ([base: "http://c:4318/"], "http://c:4318/v1/traces"), ([traces: "http://c/x/"], "http://c/x/"),
            ([base: "http://b", traces: "https://t/v1/traces"], "https://t/v1/traces"), ([:], nil),
        ]
        for (environment, url) in cases {
            let loaded = try Configuration.load(environment: environment, dotEnv: nil, role: .dev)
            #expect(loaded.configuration.otel.tracesURL == url)
        }
    }

    @Test("resource attributes are percent-decoded; the service's name among them counts where no other is set")
    func resourceAttributes() throws {
        let name = "OTEL_RESOURCE_ATTRIBUTES"
        var environment = [name: "deployment.environment = a%2Cb , service.name=of%20attributes,empty="]
        var otel = try Configuration.load(environment: environment, dotEnv: nil, role: .dev).configuration.otel
        #expect(otel.resourceAttributes.map(\.key) == ["deployment.environment", "empty"])
        #expect(otel.resourceAttributes.map(\.value) == ["a,b", ""])
        #expect(otel.serviceName == "of attributes")
        environment["OTEL_SERVICE_NAME"] = "explicit"
        otel = try Configuration.load(environment: environment, dotEnv: nil, role: .dev).configuration.otel
        #expect(otel.serviceName == "explicit")
        for wrong in ["no mark", "=value", "a=b=c", "a=%zz", "a=1,,b=2", "a=%00", "service.name="] {
            #expect(mistakes([name: wrong]).count == 1, "\(wrong)")
        }
    }

    @Test("limits can be switched off, and on in dev")
    func limits() throws {
        var environment = Self.replica
        environment["RATE_LIMIT_SOLVE"] = "off"
        environment["USER_MAX_ACTIVE"] = "off"
        environment["AI_HEDGE_AFTER"] = "2s"
        let value = try Configuration.load(environment: environment, dotEnv: nil, role: .worker).configuration
        #expect(value.limits.solve == nil && value.limits.userMaxActive == nil && value.calls.hedgeAfter == .seconds(2))
        let dev = try Configuration.load(environment: ["RATE_LIMIT_AUTH": "1/s"], dotEnv: nil, role: .dev)
        #expect(dev.configuration.limits.auth == Rate(count: 1, period: .seconds(1)))
    }

    @Test("a log to a terminal is text unless set otherwise")
    func terminal() throws {
        let value = try Configuration.load(environment: [:], dotEnv: nil, role: .dev, isTerminal: true).configuration
        #expect(value.logging.format == .text)
        let explicit = try Configuration.load(
            environment: ["LOG_FORMAT": "json"],
            dotEnv: nil,
            role: .dev,
            isTerminal: true
        )
        #expect(explicit.configuration.logging.format == .json)
    }

    @Test("an unknown name in .env is a warning with what was probably meant")
    func unknown() throws {
        let loaded = try Configuration.load(
            environment: ["HTTP_PROT": "1"],
            dotEnv: "HTTP_PROT=1\nredis_url=x\nCOMPOSE_PROJECT_NAME=l",
            role: .dev
        )
        #expect(
            loaded.warnings == [
                ".env sets HTTP_PROT, which is no setting; did you mean HTTP_PORT?",
                ".env sets redis_url, which is no setting; did you mean REDIS_URL?",
                ".env sets COMPOSE_PROJECT_NAME, which is no setting",
            ]
        )
    }

    @Test("the listing names every setting with its source and shows no secret")
    func listing() throws {
        let environment = [
            "REDIS_URL": "redis://u:hunter2@h", "JWT_SECRET": "hunter2" + Self.key, "OPENAI_API_KEY": "hunter2",
            "OTEL_EXPORTER_OTLP_HEADERS": "api-key=hunter2",
        ]
        let loaded = try Configuration.load(
            environment: environment,
            dotEnv: "GEMINI_API_KEY=hunter2\nDATABASE_URL=postgres://u:hunter2@h/d",
            role: .dev
        )
        let lines = loaded.listing().split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        #expect(lines.count == loaded.rows.count)
        #expect(lines.contains(["REDIS_URL", "redis://u:***@h", "environment"]))
        #expect(lines.contains(["DATABASE_URL", "postgres://u:***@h/d", ".env"]))
        #expect(lines.contains(["JWT_SECRET", "***", "environment"]))
        #expect(lines.contains(["GEMINI_API_KEY", "***", ".env"]))
        #expect(lines.contains(["OTEL_EXPORTER_OTLP_HEADERS", "***", "environment"]))
        #expect(lines.contains(["AI_PROVIDERS", "local", "default"]))
        #expect(lines.contains(["MOCK_SCRIPT", "-", "default"]))
        #expect(!loaded.listing().contains("hunter2"))
        var dumped = ""
        dump(loaded.configuration, to: &dumped)
        #expect(!dumped.contains("hunter2"))
    }
}

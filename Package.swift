// swift-tools-version: 6.2
import PackageDescription

// The rings of the house, innermost first. An arrow only goes inwards; `make build` passes
// `--explicit-target-dependency-import-check error`, so an import that is not listed here does not compile.

/// Module maps and shims of C libraries, nothing else; each is imported by the one module that owns it.
let system: [Target] = [
    .systemLibrary(name: "CUV", path: "Sources/System/CUV"),
    .systemLibrary(name: "CHiredis", path: "Sources/System/CHiredis"),
    .systemLibrary(name: "COpenSSL", path: "Sources/System/COpenSSL"),
    .systemLibrary(name: "CPostgres", path: "Sources/System/CPostgres"),
    .systemLibrary(name: "CSodium", path: "Sources/System/CSodium"),
    .target(
        name: "CLLHTTP",
        path: "Sources/System/CLLHTTP",
        cSettings: [
            .define("LLHTTP_STRICT_MODE", to: "1"),
            .unsafeFlags(["-I/usr/share/include/llhttp", "-I/usr/share/include", "-I/usr/share/llhttp"]),
        ],
    ),
    .target(
        name: "CCurl",
        path: "Sources/System/CCurl",
        linkerSettings: [.linkedLibrary("curl")],
    ),
]

/// Text and time: pure functions that both rings above need, so that neither has its own.
let base: [Target] = [
    module("Text", in: "Base", []),
    module("Time", in: "Base", []),
]

/// Servers, clients and services that know nothing of math.
let runtime: [Target] = [
    module("POSIX", in: "Runtime", []),
    module("EventLoop", in: "Runtime", ["Text", "Time", "CUV"]),
    module("Cryptography", in: "Runtime", ["EventLoop", "COpenSSL"]),
    module("PasswordHashes", in: "Runtime", ["CSodium"]),
    module("HTTPServer", in: "Runtime", ["EventLoop", "Cryptography", "Text", "Time", "CLLHTTP"]),
    module("HTTPClient", in: "Runtime", ["EventLoop", "Text", "Time", "CCurl"]),
    module("RedisClient", in: "Runtime", ["EventLoop", "Cryptography", "Text", "Time", "CHiredis"]),
    module("PostgresClient", in: "Runtime", ["EventLoop", "CPostgres"]),
    module("Telemetry", in: "Runtime", ["Text", "Time"]),
    module("Tracing", in: "Runtime", ["Telemetry", "EventLoop", "HTTPClient", "Text", "Time"]),
    module("Lifecycle", in: "Runtime", ["Telemetry"]),
    module("Settings", in: "Runtime", ["Console", "Text", "Time"]),
    module("ServerSentEvents", in: "Runtime", ["Text"]),
    module("Console", in: "Runtime", ["POSIX"]),
]

/// Business rules: they see ports only.
let core: [Target] = [
    module("Shared", in: "Core", ["Text", "Time"]),
    module("Domain", in: "Core", ["Shared"]),
    module("Application", in: "Core", ["Domain", "Shared", "Text", "Time"]),
]

/// The files of the Redis function library; `FunctionLibrary.swift` has the order in which they are joined.
let functionFiles = [
    "answer_log", "archive", "attempts", "conversation_queue", "conversations", "dead_letters", "erasure", "limits",
    "orphans", "permissions", "presence", "queue", "register", "requests", "retries", "shared", "submission",
]

let adapters: [Target] = [
    module("Bench", in: "Adapters", ["Shared", "EventLoop", "Text", "Time"]),
    module("LemmaSettings", in: "Adapters", ["Settings"]),
    module("Instrumentation", in: "Adapters", ["Application", "Domain", "Shared", "Telemetry", "Tracing", "Time"]),
    module("LocalMath", in: "Adapters", ["EventLoop", "Time"]),
    module("Problems", in: "Adapters", ["Shared"]),
    module(
        "Infrastructure",
        in: "Adapters",
        [
            "Application", "Domain", "Shared", "RedisClient", "EventLoop", "Cryptography", "PasswordHashes",
            "Telemetry", "Tracing", "Instrumentation", "LocalMath", "Problems", "HTTPClient", "ServerSentEvents",
            "POSIX", "Text", "Time",
        ],
        resources: [.embedInCode("Providers/Remote/math-prompt.md")]
            + functionFiles.map { .embedInCode("Messaging/Functions/\($0).lua") },
    ),
    module(
        "Persistence",
        in: "Adapters",
        ["Application", "Domain", "Shared", "PostgresClient", "EventLoop", "Cryptography", "Text", "Time"],
        resources: [
            .embedInCode("Migrations/0001_conversations.sql"), .embedInCode("Migrations/0002_ending_ids.sql"),
            .embedInCode("Migrations/0003_deleted_conversations.sql"), .embedInCode("Migrations/0004_accounts.sql"),
        ],
    ),
    module(
        "API",
        in: "Adapters",
        [
            "Application", "Domain", "Shared", "HTTPServer", "EventLoop", "Cryptography", "Telemetry", "Tracing",
            "Instrumentation", "Problems", "Settings", "Console", "Text", "Time",
        ],
    ),
    module(
        "Worker",
        in: "Adapters",
        ["Application", "Domain", "Shared", "EventLoop", "Telemetry", "Tracing", "Instrumentation", "Time"],
    ),
]

/// The composition root.
let program: [Target] = [
    .executableTarget(
        name: "Lemma",
        dependencies: [
            "API", "Worker", "Bench", "Infrastructure", "Persistence", "Instrumentation", "LocalMath", "Application",
            "Domain", "Shared", "PostgresClient",
            "HTTPServer", "HTTPClient", "RedisClient", "EventLoop", "Cryptography", "Telemetry", "Tracing",
            "Lifecycle", "LemmaSettings", "Settings", "Console", "ServerSentEvents", "Text", "Time", "POSIX",
        ],
        path: "Sources/Lemma",
    )
]

let tests: [Target] = [
    .target(name: "TestSupport", dependencies: ["EventLoop", "Telemetry", "Text"], path: "Tests/TestSupport"),
    .target(
        name: "ArchiveSupport",
        dependencies: ["Application", "Domain", "Shared"],
        path: "Tests/ArchiveSupport",
    ),
    .target(
        name: "AccountSupport",
        dependencies: ["Application", "Domain", "Shared"],
        path: "Tests/AccountSupport",
    ),
    .target(name: "CGlobalHops", path: "Tests/CGlobalHops"),
    suite("Cryptography", in: "Runtime", ["Cryptography", "EventLoop", "Text"]),
    suite("PasswordHashes", in: "Runtime", ["PasswordHashes"]),
    suite("RedisClient", in: "Runtime", ["RedisClient", "Cryptography", "EventLoop", "Text"]),
    suite("PostgresClient", in: "Runtime", ["PostgresClient", "EventLoop"]),
    suite("HTTPServer", in: "Runtime", ["HTTPServer", "EventLoop", "Text"]),
    suite("Settings", in: "Runtime", ["Settings"]),
    suite("Telemetry", in: "Runtime", ["Telemetry"]),
    suite("Tracing", in: "Runtime", ["Tracing", "Telemetry", "EventLoop", "HTTPServer"]),
    suite("Lifecycle", in: "Runtime", ["Lifecycle", "Telemetry"]),
    suite("POSIX", in: "Runtime", ["POSIX"]),
    suite("EventLoop", in: "Runtime", ["EventLoop", "Text"]),
    suite("HTTPClient", in: "Runtime", ["HTTPClient", "HTTPServer", "Cryptography", "EventLoop", "Text"]),
    suite("ServerSentEvents", in: "Runtime", ["ServerSentEvents"]),
    suite("Console", in: "Runtime", ["Console"]),
    suite("Text", in: "Base", ["Text"]),
    suite("Time", in: "Base", ["Time"]),
    suite("CommandLine", in: "System", ["Lemma", "HTTPServer", "EventLoop"]),
    suite("Shared", in: "Core", ["Shared"]),
    suite("Domain", in: "Core", ["Domain", "Shared", "ArchiveSupport"]),
    suite(
        "Application",
        in: "Core",
        ["Application", "Domain", "Shared", "EventLoop", "ArchiveSupport", "AccountSupport"],
    ),
    suite(
        "Infrastructure",
        in: "Adapters",
        [
            "Infrastructure", "Application", "Domain", "Shared", "RedisClient", "EventLoop", "Cryptography",
            "HTTPClient", "Instrumentation", "Telemetry", "LemmaSettings", "ArchiveSupport", "POSIX", "Text",
        ],
    ),
    suite(
        "Persistence",
        in: "Adapters",
        ["Persistence", "Application", "Domain", "Shared", "PostgresClient", "EventLoop", "ArchiveSupport"],
    ),
    suite(
        "API",
        in: "Adapters",
        [
            "API", "Worker", "Infrastructure", "Instrumentation", "Application", "Domain", "Shared", "HTTPServer",
            "RedisClient", "EventLoop", "Cryptography", "Telemetry", "CGlobalHops",
            "ArchiveSupport", "AccountSupport", "Settings", "Problems", "Text",
        ],
    ),
    suite(
        "Worker",
        in: "Adapters",
        ["Worker", "Application", "Domain", "Shared", "EventLoop", "Telemetry", "Instrumentation", "ArchiveSupport"],
    ),
    suite(
        "Erasure",
        in: "Adapters",
        [
            "Infrastructure", "Persistence", "Worker", "Instrumentation", "Application", "Domain", "Shared",
            "RedisClient", "PostgresClient", "EventLoop", "Telemetry",
        ],
    ),
    suite("Instrumentation", in: "Adapters", ["Instrumentation", "Application", "Domain", "Shared", "Telemetry"]),
    suite("LocalMath", in: "Adapters", ["LocalMath", "EventLoop"]),
    suite("LemmaSettings", in: "Adapters", ["LemmaSettings", "Settings"]),
    suite("Problems", in: "Adapters", ["Problems", "Shared"]),
    suite("Bench", in: "Adapters", ["Bench", "EventLoop", "Shared", "Text"]),
    suite("System", in: "System", ["EventLoop", "HTTPServer", "Cryptography"]),
]

func module(
    _ name: String,
    in ring: String,
    _ dependencies: [Target.Dependency],
    resources: [Resource] = [],
) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/\(ring)/\(name)", resources: resources)
}

func suite(_ name: String, in ring: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(
        name: "\(name)Tests",
        dependencies: dependencies + ["TestSupport"],
        path: "Tests/\(ring)/\(name)Tests",
    )
}

let package = Package(
    name: "lemma",
    products: [.executable(name: "lemma", targets: ["Lemma"])],
    targets: system + base + runtime + core + adapters + program + tests,
    cLanguageStandard: .c11,
)

for target in package.targets where [.regular, .executable, .test].contains(target.type) {
    if target.name.hasPrefix("C"), target.path?.hasPrefix("Sources/System") == true { continue }
    target.swiftSettings = [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
        .strictMemorySafety(),
        .treatAllWarnings(as: .error),
    ]
}

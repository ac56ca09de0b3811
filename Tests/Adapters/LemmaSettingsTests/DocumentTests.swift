import FoundationEssentials
import Settings
import TestSupport
import Testing

@testable import LemmaSettings

@Suite("docs/configuration.md", .tags(.unit))
struct DocumentTests {
    private static var path: String {
        let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        return "/\(root)/docs/configuration.md"
    }

    @Test("the committed page is what the table generates; LEMMA_WRITE_DOCS=1 writes it anew")
    func committed() throws {
        let generated = Configuration.document()
        if ProcessSources.environment()["LEMMA_WRITE_DOCS"] == "1" {
            try generated.write(toFile: Self.path, atomically: true, encoding: .utf8)
        }
        let data = try #require(FileManager.default.contents(atPath: Self.path), "docs/configuration.md is missing")
        #expect(String(decoding: data, as: UTF8.self) == generated)
    }

    @Test("the table has exactly the variables of the contract")
    func names() throws {
        let names = """
            HTTP_HOST HTTP_PORT HTTP_TLS_CERT HTTP_TLS_KEY OPS_HOST OPS_PORT EVENT_LOOPS REDIS_URL REDIS_TLS_CA REDIS_TLS_CERT
            REDIS_TLS_KEY DATABASE_URL DATABASE_MAX_CONNECTIONS
            JWT_SECRET JWT_ISSUER JWT_AUDIENCE JWT_ACCESS_TTL JWT_REFRESH_TTL AUTH_REQUIRED REGISTRATION AUTH_ISSUERS
            AI_PROVIDERS
            OPENAI_BASE_URL OPENAI_API_KEY OPENAI_MODEL GEMINI_BASE_URL GEMINI_API_KEY GEMINI_MODEL
            AI_CONNECT_TIMEOUT AI_FIRST_TOKEN_TIMEOUT AI_IDLE_TIMEOUT AI_TOTAL_TIMEOUT AI_MAX_RETRIES AI_HEDGE_AFTER
            AI_SEND_TRACEPARENT AI_BREAKER_FAILURES AI_BREAKER_OPEN AI_MAX_CONCURRENCY
            MOCK_TOKENS MOCK_TOKEN_DELAY MOCK_FIRST_TOKEN_DELAY MOCK_CONTENT MOCK_SCRIPT
            WORKER_CONCURRENCY JOB_PARTITIONS JOB_MAX_ATTEMPTS JOB_LEASE QUEUE_MAX_DEPTH
            CONVERSATION_MAX_WAITING ARCHIVE_MAX_WAITING IDEMPOTENCY_TTL DEAD_LETTERS_MAX
            STREAM_TTL_LIVE STREAM_TTL_DONE SSE_HEARTBEAT SSE_BUFFER_LIMIT DISCONNECT_GRACE
            RATE_LIMIT_SOLVE RATE_LIMIT_AUTH USER_MAX_ACTIVE USER_DAILY_TOKENS ADDRESS_MAX_CONNECTIONS
            CORS_ORIGINS TRUSTED_PROXIES
            CONTEXT_MAX_TURNS CONTEXT_MAX_TOKENS DRAIN_GRACE LOG_LEVEL LOG_FORMAT AUDIT_LOG
            OTEL_EXPORTER_OTLP_ENDPOINT OTEL_EXPORTER_OTLP_TRACES_ENDPOINT OTEL_EXPORTER_OTLP_HEADERS
            OTEL_RESOURCE_ATTRIBUTES OTEL_SERVICE_NAME OTEL_TRACES_SAMPLER OTEL_TRACES_SAMPLER_ARG
            LEMMA_API_KEY
            """
        let rows = try Configuration.load(environment: [:], dotEnv: nil, role: .dev).rows
        #expect(rows.map(\.name) == names.split { $0 == " " || $0 == "\n" }.map(String.init))
        #expect(rows.allSatisfy { !$0.summary.isEmpty && !$0.allowed.isEmpty && !$0.defaultText.isEmpty })
    }
}

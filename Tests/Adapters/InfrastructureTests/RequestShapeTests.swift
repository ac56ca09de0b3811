import Application
import Domain
import EventLoop
import Synchronization
import TestSupport
import Testing

@testable import HTTPClient
@testable import Infrastructure

@Suite("What a provider refuses of a request", .tags(.integration))
struct RequestShapeTests {
    private static let sent: Set<RequestPart> = [.streamOptions, .systemRole, .temperature, .maxTokens]

    @Test(
        "the part that is named is left out; a fault of the content leaves out nothing",
        arguments: [
            (400, #"{"error":{"message":"System role not supported"}}"#, [.systemRole]),
            (500, #"{"error":{"code":500,"message":"System role not supported"}}"#, [.systemRole]),
            (400, #"{"error":{"message":"Developer instruction is not enabled for models/gemma"}}"#, [.systemRole]),
            (400, #"{"message":"Conversation roles must alternate user/assistant/user/assistant/..."}"#, [.systemRole]),
            (
                422,
                #"{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],"msg":"Extra inputs are not permitted","#
                    + #""input":{"temperature":1,"role":"system"}}]}"#, [.streamOptions]
            ),
            (400, #"{"message":"Only user, assistant and tool roles are supported, got system."}"#, [.systemRole]),
            (
                422,
                #"{"detail":[{"loc":["body","messages",0,"role"],"msg":"Input should be 'user' or 'assistant'"}]}"#,
                [.systemRole]
            ),
            (400, #"{"message":"stream_options is only for premium"}"#, [.streamOptions]),
            (422, "{}", [.streamOptions]), (422, "no", [.streamOptions]), (400, "unknown field", [.streamOptions]),
            (
                400,
                #"{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use "#
                    + #"'max_completion_tokens' instead.","param":"max_tokens","code":"unsupported_parameter"}}"#,
                [.maxTokens]
            ),
            (
                400,
                #"{"error":{"message":"Unsupported value: 'temperature' does not support 0.5 with this model. "#
                    + #"Only the default (1) value is supported.","param":"temperature"}}"#, [.temperature]
            ),
            (400, #"{"error":{"message":"temperature must be at most 1"}}"#, [.temperature]),
            (400, #"{"error":{"message":"the prompt is too long"}}"#, []), (400, "", []),
            (500, #"{"error":{"message":"temperature of the rack"}}"#, []), (429, "System role not supported", []),
        ] as [(Int, String, Set<RequestPart>)],
    )
    func cause(status: Int, body: String, expected: Set<RequestPart>) throws {
        let value = try? JSONReader.value(body[...].utf8)
        let refused = value.map { ErrorReport.read($0).refused } ?? RefusedParts(body)
        #expect(refused.cause(status: status, sent: Self.sent) == expected)
    }

    @Test("a part is left out permanently once an answer came without it, and reported once")
    func memory() {
        let told = Mutex<[RequestPart]>([])
        let shape = RequestShape { part in told.withLock { $0.append(part) } }
        shape.tryWithout([.streamOptions])
        #expect(shape.leftOut == [.streamOptions])
        shape.restore([.streamOptions])
        #expect(shape.leftOut == [])
        shape.tryWithout([.streamOptions, .temperature])
        shape.confirm([.streamOptions])
        shape.confirm([.streamOptions])
        shape.restore([.streamOptions, .temperature])
        #expect(shape.leftOut == [.streamOptions])
        #expect(told.withLock { $0 } == [.streamOptions])
    }

    @Test("without a part the request means the same")
    func requests() {
        let request = providerRequest("x", maxOutputTokens: 5)
        func body(_ dialect: Int, _ omitted: Set<RequestPart>) -> String {
            let http = spokenDialects[dialect].httpRequest(for: request, without: omitted)
            return String(decoding: http.body ?? [], as: UTF8.self)
        }
        let bare = body(0, [.streamOptions, .systemRole, .temperature, .maxTokens])
        #expect(!bare.contains("stream_options") && !bare.contains(#""system""#))
        #expect(bare.contains(#"[{"role":"user","content":"You are a patient"#) && bare.contains(#"\n\nx"}]"#))
        #expect(bare.contains(#""max_completion_tokens":5"#))
        #expect(!body(0, Set(RequestPart.allCases)).contains("max_"))
        let gemini = body(1, [.systemRole])
        #expect(!gemini.contains("systemInstruction") && gemini.contains(#"{"text":"You are a patient"#))
    }

    @Test(
        "an option is remembered as refused only where the words say that it is not supported",
        arguments: [
            (400, "temperature must be between 0 and 1", .temperature, false),
            (400, "'temperature' does not support 0.5", .temperature, false),
            (400, "temperature=1.5 is not supported", .temperature, false),
            (400, "Unsupported value: temperature must be at most 1", .temperature, false),
            (422, "max_tokens: Input should be less than or equal to 8192", .maxTokens, false),
            (400, "max_tokens is too large: 100000. This model supports at most 4096 tokens", .maxTokens, false),
            (400, "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]", .maxTokens, false),
            (422, "temperature: no", .temperature, false),
            (
                400,
                "Unsupported value: 'temperature' does not support 0.5 with this model. Only the default (1) value is "
                    + "supported.", .temperature, true
            ),
            (400, "Unknown name \"temperature\": Cannot find field.", .temperature, true),
            (400, "Unsupported parameter: 'max_tokens' is not supported with this model.", .maxTokens, true),
            (422, "max_tokens: Extra inputs are not permitted", .maxTokens, true),
        ] as [(Int, String, RequestPart, Bool)],
    )
    func values(status: Int, words: String, part: RequestPart, isRemembered: Bool) async throws {
        try await onLoop { loop in
            var count = 0
            let server = try await RawServer(on: loop) { connection in
                count += 1
                let isRefused = count == 1
                connection.send("HTTP/1.1 \(isRefused ? status : 200) X\r\nConnection: close\r\n\r\n")
                connection.send(
                    isRefused ? words : #"{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}]}"#
                )
                connection.stream.finish()
            }
            let transport = HTTPTransport(on: loop)
            defer { transport.close() }
            let shape = RequestShape()
            let dialect = OpenAIDialect(ProviderEndpoint(baseURL: server.url + "v1", model: "m", apiKey: nil))
            let client = RemoteClient(dialect, transport: transport, connectTimeout: .seconds(10), shape: shape)
            func ask(_ options: SolveOptions) async throws(ProviderFailure) {
                let request = ProviderRequest(problem: MathProblem(stored: "x"), options: options)
                _ = try await client.stream(request, into: SinkRecorder(ManualClock(loop: loop)))
            }
            var options = SolveOptions([.temperature: .number(0.5), .maxOutputTokens: .integer(9000)])
            do throws(ProviderFailure) { try await ask(options) } catch {
                guard case .adapted(_, let changed) = error else { throw error }
                options = changed
            }
            let kept: Set<RequestPart> = [.streamOptions, .systemRole, .temperature, .maxTokens]
            let sent = dialect.parts(
                for: ProviderRequest(problem: MathProblem(stored: "x"), options: options),
                without: []
            )
            #expect(sent == (isRemembered ? kept : kept.subtracting([part])))
            // An answer to a request without the option confirms nothing.
            try await ask(SolveOptions())
            shape.restore([part])
            #expect(shape.leftOut.isEmpty)
            if isRemembered { shape.tryWithout([part]) }
            try await ask(options)
            shape.restore([part])
            #expect(shape.leftOut == (isRemembered ? [part] : []))
        }
    }
}

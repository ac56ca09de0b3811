import Application
import Cryptography
import Domain
import HTTPClient
import LemmaSettings
import Shared
import TestSupport
import Testing

@testable import Infrastructure

extension ProviderDialect {
    /// Reads a text that is one value.
    func read(_ text: String) throws -> ProviderChunk { read(try JSONReader.value(text[...].utf8)) }

    func httpRequest(for request: ProviderRequest) -> HTTPClientRequest { httpRequest(for: request, without: []) }
}

private let endpoint = ProviderEndpoint(baseURL: "http://host/v1", model: "m-1", apiKey: "sk-key")

private func text(_ request: HTTPClientRequest) -> String { String(decoding: request.body ?? [], as: UTF8.self) }

/// A request with two earlier turns, the second of which has no answer.
private func conversation(omits: Bool = false) -> ProviderRequest {
    let random = FixedID()
    let turns = [("1+1", "2"), ("why?", "")].map { problem, answer in
        ConversationTurn(correlationID: random.make(), problem: problem, answer: answer)
    }
    return ProviderRequest(
        problem: MathProblem(stored: "x \"=\" 3\n"),
        options: SolveOptions([.temperature: .number(0.5), .maxOutputTokens: .integer(99)]),
        context: ConversationContext(turns: turns, omitsEarlierTurns: omits),
    )
}

private struct FixedID {
    func make() -> CorrelationID { IdentifierFactory(clock: SystemClock(), random: HalfRandom()).make() }
}

@Suite("The system prompt", .tags(.unit))
struct SystemPromptTests {
    /// A change of the text needs a new version and its digest here.
    private static let known = ["math-1": "29ec0aceadaa1f219c052aeeaa1f7b84170f97b148263ff6d16d291e41113aef"]

    @Test("each version stands for one text")
    func version() {
        let prompt = SystemPrompt.math
        let digest = SHA256Fingerprinting().fingerprint(prompt.text(for: .empty)).description
        #expect(Self.known[prompt.version] == digest)
    }

    @Test("it asks for steps, for LaTeX in the page's delimiters and for a final line with the answer")
    func content() {
        let text = SystemPrompt.math.text(for: .empty)
        for phrase in ["step by step", #"\( … \)"#, #"\[ … \]"#, "**Answer:**"] { #expect(text.contains(phrase)) }
        #expect(!text.contains("version:"))
        #expect(!text.contains("left out"))
    }
}

@Suite("OpenAI's dialect", .tags(.unit))
struct OpenAIDialectTests {
    private let dialect = OpenAIDialect(endpoint)

    @Test("the request carries prompt, turns, problem and options, and asks for usage")
    func request() {
        let request = dialect.httpRequest(for: conversation())
        #expect(request.method == "POST" && request.url == "http://host/v1/chat/completions")
        #expect(request.headers.contains { $0.name == "Authorization" && $0.value == "Bearer sk-key" })
        let body = text(request)
        #expect(body.hasPrefix(#"{"model":"m-1","messages":[{"role":"system","content":"You are "#))
        let turns =
            #"{"role":"user","content":"1+1"},{"role":"assistant","content":"2"},{"role":"user","content":"why?"},"#
            + #"{"role":"assistant","content":"(no answer)"},{"role":"user","content":"x \"=\" 3\n"}],"#
        let options = #""stream":true,"stream_options":{"include_usage":true},"temperature":0.5,"max_tokens":99}"#
        #expect(body.hasSuffix(turns + options))
        #expect(!body.contains("left out"))
        #expect(text(dialect.httpRequest(for: conversation(omits: true))).contains("earlier turns were left out"))
        #expect(dialect.identity == ProviderIdentity(name: "openai", model: "m-1", promptVersion: "math-1"))
    }

    @Test("without a key no field is sent; OpenAI itself gets the limit by its newer name")
    func variants() {
        let keyless = OpenAIDialect(ProviderEndpoint(baseURL: "http://host", model: "m", apiKey: nil))
        let request = keyless.httpRequest(for: providerRequest("x"))
        #expect(request.headers.isEmpty)
        #expect(!text(request).contains("temperature") && !text(request).contains("max_"))
        let own = OpenAIDialect(ProviderEndpoint(baseURL: "https://api.openai.com/v1", model: "m", apiKey: "k"))
        let limited = own.httpRequest(for: providerRequest("x", maxOutputTokens: 5))
        #expect(text(limited).hasSuffix(#""max_completion_tokens":5}"#))
    }

    @Test("text, thinking under both names, refusals and a null content are distinguished")
    func deltas() throws {
        func read(_ delta: String) throws -> ProviderChunk {
            try dialect.read(#"{"id":"x","choices":[{"index":0,"delta":\#(delta),"finish_reason":null}],"usage":null}"#)
        }
        let empty = ProviderChunk()
        #expect(try read(#"{"role":"assistant","content":null}"#) == empty)
        #expect(try read("{}") == empty)
        #expect(try read(#"{"content":"\u0061\n😀"}"#).answer == "a\n😀")
        #expect(try read(#"{"content":null,"reasoning":"r"}"#).reasoning == "r")
        #expect(try read(#"{"reasoning_content":"r"}"#).reasoning == "r")
        #expect(try read(#"{"reasoning_content":"r","reasoning":"r"}"#).reasoning == "r")
        #expect(try read(#"{"refusal":"no"}"#).answer == "no")
        #expect(try dialect.read(#"{"choices":[]}"#) == empty)
        #expect(try dialect.read("{}") == empty)
        for torn in ["", #"{"choices":"#, #"{"choices":[{"delta":{"content":"x"#] {
            #expect(throws: JSONReader.Malformed.self) { try dialect.read(torn) }
        }
    }

    @Test(
        "finish reasons",
        arguments: [
            ("stop", ProviderEnd.finished(.stop)), ("length", .finished(.length)),
            ("content_filter", .finished(.contentFilter)), ("tool_calls", .finished(.stop)),
            ("something_new", .brokenOff), ("error", .brokenOff), ("abort", .brokenOff),
            ("STOP", .finished(.stop)), ("MAX_TOKENS", .finished(.length)), ("sensitive", .finished(.contentFilter)),
            ("model_context_window_exceeded", .finished(.length)), ("model_length", .finished(.length)),
            ("insufficient_system_resource", .brokenOff), ("network_error", .brokenOff), ("timeout", .brokenOff),
        ],
    )
    func ends(reason: String, end: ProviderEnd) throws {
        #expect(try dialect.read(#"{"choices":[{"delta":{},"finish_reason":"\#(reason)"}]}"#).end == end)
    }

    @Test("only what is known to end a whole answer does; every other word is a cut")
    func words() throws {
        let words: [(end: ProviderEnd, words: String)] = [
            (
                .finished(.stop),
                """
                stop eos eos_token end end_turn endTurn END_OF_TURN <|endoftext|> complete completed done finish finished
                stop_sequence stop_token STOPPED tool_calls function_call normal
                """
            ),
            (.finished(.length), "max_tokens maxTokens max_output_tokens token_limit context_length_exceeded"),
            (
                .finished(.contentFilter),
                """
                MODEL_ARMOR guardrail_intervened flagged moderated moderation jailbreak content_filtered LANGUAGE refusal
                content_policy_violation
                """
            ),
            (
                .brokenOff,
                """
                incomplete truncated preempted exception overloaded unavailable disconnect terminated killed evicted oom
                crash partial expired deadline deadline_exceeded quota_exceeded unknown pause_turn rejected stop_on_error
                rate_limit time_limit endpoint_gone repetition
                """
            ),
        ]
        for (end, words) in words {
            for word in words.split(whereSeparator: \.isWhitespace) {
                let chunk = try dialect.read(#"{"choices":[{"delta":{},"finish_reason":"\#(word)"}]}"#)
                #expect(chunk.end == end, "\(word)")
            }
        }
        for word in ["", "null", "0", "17", "in_progress", "not_finished"] {
            #expect(try dialect.read(#"{"choices":[{"delta":{},"finish_reason":"\#(word)"}]}"#).end == nil, "\(word)")
        }
    }

    @Test("usage comes with empty choices or with an empty delta")
    func usage() throws {
        let usage = #""usage":{"prompt_tokens":5,"completion_tokens":7,"completion_tokens_details":"#
        let told = TokenUsage(inputTokens: 5, outputTokens: 7, reasoningTokens: 3, isEstimated: false)
        #expect(try dialect.read(#"{"choices":[],\#(usage){"reasoning_tokens":3}}}"#).usage == told)
        #expect(try dialect.read(#"{"choices":[{"delta":{}}],\#(usage){"reasoning_tokens":3}}}"#).usage == told)
        let plain = TokenUsage(inputTokens: 5, outputTokens: 7, isEstimated: false)
        #expect(try dialect.read(#"{"choices":[],\#(usage)null}}"#).usage == plain)
        #expect(try dialect.read(#"{"choices":[],"usage":{"total_tokens":5}}"#).usage == nil)
        for nonsense in ["-1", "9223372036854775807"] {
            let usage = #"{"prompt_tokens":\#(nonsense),"completion_tokens":1}"#
            #expect(try dialect.read(#"{"choices":[],"usage":\#(usage)}"#).usage == nil)
        }
    }

    @Test("the model that answered is read with the usage, and only a plain name is believed")
    func model() throws {
        let usage = #""usage":{"prompt_tokens":5,"completion_tokens":7}"#
        #expect(try dialect.read(#"{"model":"m-2","choices":[],\#(usage)}"#).model == "m-2")
        #expect(try dialect.read(#"{"model":"m-2","choices":[{"delta":{"content":"a"}}]}"#).model == nil)
        for nonsense in ["5", "null", #""""#, #""a b""#, #""é""#, "\"\(String(repeating: "m", count: 129))\""] {
            let chunk = try dialect.read(#"{"model":\#(nonsense),"choices":[],\#(usage)}"#)
            #expect(chunk.model == nil && chunk.usage != nil, "\(nonsense)")
        }
    }

    @Test("an error is one in whatever form, with its name but never its words")
    func errors() throws {
        for (error, status, code, isAboutAccess) in [
            (#"{"message":"sk-key","type":"server_error","code":null}"#, nil, "server_error", false),
            (#"{"message":"x","type":"t","code":"context_length_exceeded"}"#, nil, "context_length_exceeded", false),
            (#"{"message":"x","code":429}"#, 429, nil, false), (#"{"message":"x","code":"401"}"#, 401, nil, false),
            (#"{"code":"insufficient_quota"}"#, nil, "insufficient_quota", true),
            (#"{"code":"sk-key with words"}"#, nil, nil, false), (#""plain text""#, nil, nil, false),
            ("true", nil, nil, false), ("500", 500, nil, false), (#"[{"code":403}]"#, 403, nil, false),
            (#"{"type":"RESOURCE_EXHAUSTED"}"#, 429, "RESOURCE_EXHAUSTED", false),
        ] as [(String, Int?, String?, Bool)] {
            var expected = ReportedError(status: status, code: code)
            expected.isAboutAccess = isAboutAccess
            expected.contentFault = code == "context_length_exceeded" ? .unanswerable : nil
            #expect(try dialect.read(#"{"error":\#(error)}"#).error == expected, "\(error)")
        }
        let none = [
            "null", "{}", "[]", "false", "0", #""""#, #"" ""#, #"{"code":0,"message":""}"#,
            #"{"code":200,"message":"OK"}"#, #"{"code":null,"message":null}"#,
        ]
        for error in none { #expect(try dialect.read(#"{"error":\#(error)}"#).error == nil, "\(error)") }
    }
}

@Suite("Gemini's dialect", .tags(.unit))
struct GeminiDialectTests {
    private let dialect = GeminiDialect(
        ProviderEndpoint(baseURL: "http://host/v1beta", model: "gemini-1", apiKey: "AI-key")
    )

    @Test("the request carries prompt, turns, problem and options; the key is no part of the URL")
    func request() {
        let request = dialect.httpRequest(for: conversation())
        #expect(request.url == "http://host/v1beta/models/gemini-1:streamGenerateContent?alt=sse")
        #expect(request.headers.contains { $0.name == "x-goog-api-key" && $0.value == "AI-key" })
        let body = text(request)
        #expect(body.hasPrefix(#"{"systemInstruction":{"parts":[{"text":"You are "#))
        let turns =
            #""contents":[{"role":"user","parts":[{"text":"1+1"}]},{"role":"model","parts":[{"text":"2"}]},"#
            + #"{"role":"user","parts":[{"text":"why?"}]},{"role":"model","parts":[{"text":"(no answer)"}]},"#
            + #"{"role":"user","parts":[{"text":"x \"=\" 3\n"}]}],"#
        #expect(body.hasSuffix(turns + #""generationConfig":{"temperature":0.5,"maxOutputTokens":99}}"#))
        #expect(text(dialect.httpRequest(for: conversation(omits: true))).contains("earlier turns were left out"))
        let named = GeminiDialect(ProviderEndpoint(baseURL: "http://host", model: "models/g", apiKey: nil))
        #expect(
            named.httpRequest(for: providerRequest("x")).url == "http://host/models/g:streamGenerateContent?alt=sse"
        )
    }

    @Test("parts are answer or thinking; usage counts the thinking as output")
    func chunks() throws {
        let parts = #"[{"text":"think","thought":true},{"text":"a"},{"inlineData":{}},{"text":"b"}]"#
        let usage = #"{"promptTokenCount":4,"candidatesTokenCount":6,"thoughtsTokenCount":2,"totalTokenCount":12}"#
        let chunk = try dialect.read(
            #"{"candidates":[{"content":{"parts":\#(parts),"role":"model"},"index":0}],"usageMetadata":\#(usage)}"#
        )
        #expect(chunk.reasoning == "think" && chunk.answer == "ab" && chunk.end == nil && chunk.error == nil)
        let told = TokenUsage(inputTokens: 4, outputTokens: 8, reasoningTokens: 2, isEstimated: false)
        #expect(chunk.usage == told)
        let early = try dialect.read(#"{"usageMetadata":{"promptTokenCount":4}}"#)
        #expect(early.usage == TokenUsage(inputTokens: 4, outputTokens: 0, isEstimated: false))
        var nothing = ProviderChunk()
        nothing.isDocument = true
        #expect(try dialect.read("{}") == nothing)
        let most = #"{"promptTokenCount":1,"candidatesTokenCount":\#(Int.max),"thoughtsTokenCount":\#(Int.max)}"#
        #expect(try dialect.read(#"{"usageMetadata":\#(most)}"#).usage == nil)
    }

    @Test(
        "finish reasons",
        arguments: [
            ("STOP", ProviderEnd.finished(.stop)), ("MAX_TOKENS", .finished(.length)),
            ("SAFETY", .finished(.contentFilter)), ("RECITATION", .finished(.contentFilter)),
            ("PROHIBITED_CONTENT", .finished(.contentFilter)), ("NEW_ONE", .brokenOff),
            ("MALFORMED_FUNCTION_CALL", .brokenOff), ("MALFORMED_RESPONSE", .brokenOff), ("OTHER", .brokenOff),
            ("TOO_MANY_TOOL_CALLS", .brokenOff), ("UNEXPECTED_TOOL_CALL", .brokenOff),
            ("SPII", .finished(.contentFilter)), ("IMAGE_SAFETY", .finished(.contentFilter)),
            ("MODEL_ARMOR", .finished(.contentFilter)), ("IMAGE_RECITATION", .finished(.contentFilter)),
            ("NO_IMAGE", .brokenOff), ("MISSING_THOUGHT_SIGNATURE", .brokenOff), ("IMAGE_OTHER", .brokenOff),
        ],
    )
    func ends(reason: String, end: ProviderEnd) throws {
        #expect(try dialect.read(#"{"candidates":[{"finishReason":"\#(reason)"}]}"#).end == end)
    }

    @Test("the model that answered is read with the end")
    func model() throws {
        #expect(try dialect.read(#"{"modelVersion":"g-2","candidates":[{"finishReason":"STOP"}]}"#).model == "g-2")
        #expect(try dialect.read(#"{"modelVersion":5,"candidates":[{"finishReason":"STOP"}]}"#).model == nil)
    }

    @Test("a blocked prompt ends as filtered")
    func blocked() throws {
        let chunk = try dialect.read(#"{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{}}"#)
        #expect(chunk.end == .finished(.contentFilter))
        #expect(try dialect.read(#"{"promptFeedback":{"blockReason":null}}"#).end == nil)
    }

    @Test("an error names its reason; a wrong key is about access though its status says 400")
    func errors() throws {
        let details = #""details":[{"@type":"x"},{"reason":"API_KEY_INVALID"}]"#
        let error = try dialect.read(
            #"{"error":{"code":400,"message":"API key AI-key not valid","status":"INVALID_ARGUMENT",\#(details)}}"#
        ).error
        #expect(error?.status == 400 && error?.code == "API_KEY_INVALID" && error?.isAboutAccess == true)
        let other = try dialect.read(#"{"error":{"code":400,"message":"x","status":"INVALID_ARGUMENT"}}"#).error
        #expect(other == ReportedError(status: 400, code: "INVALID_ARGUMENT"))
        let info = #"{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.07s"}"#
        let busy = try dialect.read(#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[\#(info)]}}"#).error
        #expect(busy?.status == 429 && abs((busy?.retryAfter ?? .zero) / .seconds(1) - 34.07) < 1e-6)
    }
}

@Suite("The remote providers", .tags(.unit))
struct RemoteProvidersTests {
    @Test("each one that can be configured is there, under its name, and no other")
    func tables() throws {
        let configured = Configuration.AI.Provider.allCases.filter { $0.remote != nil }.map(\.rawValue)
        #expect(RemoteProviders.names == Set(configured))
        for name in configured { #expect(RemoteProviders.dialect(name, endpoint)?.identity.name == name) }
    }
}

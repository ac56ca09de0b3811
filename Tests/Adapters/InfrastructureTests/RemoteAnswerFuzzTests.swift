import TestSupport
import Testing

@testable import HTTPClient
@testable import Infrastructure

@Suite("The providers' dialects, fuzzed", .tags(.unit))
struct RemoteAnswerFuzzTests {
    private static let endpoint = ProviderEndpoint(baseURL: "http://host", model: "m", apiKey: nil)
    private static let splices = [
        "\n\n", "\r", "data: ", ": c\n", "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "\\ud83d", "null", "true",
        "1e999", "-", "9223372036854775807", "-9223372036854775808", "\u{0}", "é", "😀", "\"choices\":", "\"error\":",
        "\"candidates\":", "[DONE]", "\u{FEFF}", "<think>", "</think>", "\\ude00", "NaN", "event: error\n", "error: ",
        "\u{200B}", "1e30", "1e308", "-1e30", "-1e308", String(repeating: "9", count: 400),
        "-" + String(repeating: "9", count: 400), "\"retry_after\":1e300,", "\"retry_after_ms\":1e30,",
        "\"details\":[{\"retryDelay\":\"999999999999999999999999999s\"}],", "\"index\":1e30,", "\"code\":-1e30,",
    ]

    private static let openAI = Mutation(
        seeds: [
            #"data: {"choices":[{"index":0,"delta":{"role":"assistant","content":null}}]}"# + "\n\n",
            #"data: {"choices":[{"delta":{"content":"x = é😀\n"},"finish_reason":null}],"usage":null}"# + "\n\n",
            #"data: {"choices":[{"delta":{"reasoning_content":"hm","reasoning":"hm"}}]}"# + "\r\n\r\n",
            #"data: {"choices":[{"delta":{},"finish_reason":"stop"}]}"# + "\n\n",
            #"data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"completion_tokens_details":"#
                + #"{"reasoning_tokens":1}}}"# + "\n\ndata: [DONE]\n\n",
            #"data: {"error":{"message":"no","type":"server_error","code":"x"}}"# + "\n\n",
            #"{"choices":[{"message":{"content":"whole"},"finish_reason":"length"}]}"#, ": ping\n\n",
            #"{"error":{"message":"no","code":429}}"#,
            #"{"error":{"code":503,"retry_after":30,"retry_after_ms":2500}}"#,
        ],
        splices: splices,
    )

    private static let gemini = Mutation(
        seeds: [
            #"data: {"candidates":[{"content":{"parts":[{"text":"é😀"}],"role":"model"},"index":0}]}"# + "\r\n\r\n",
            #"data: {"candidates":[{"content":{"parts":[{"text":"hm","thought":true},{"text":"a"}]}}],"#
                + #""usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":6,"thoughtsTokenCount":2}}"# + "\n\n",
            #"data: {"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":4}}"# + "\n\n",
            #"data: {"promptFeedback":{"blockReason":"SAFETY"}}"# + "\n\n",
            #"{"error":{"code":400,"status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}"#,
            #"{"candidates":[{"content":{"parts":[{"text":"whole"}]},"finishReason":"STOP"}]}"#,
            #"{"error":{"code":429,"details":[{"retryDelay":"34.07s"},{"retryDelay":{"seconds":34,"nanos":70}}]}}"#,
        ],
        splices: splices,
    )

    private static let heads = [
        HTTPClientResponse(status: 200, headers: [("content-type", "text/event-stream")]),
        HTTPClientResponse(status: 200, headers: [("content-type", "application/json")]),
        HTTPClientResponse(
            status: 429,
            headers: [("content-type", "application/json"), ("retry-after-ms", "1e30"), ("retry-after", "1e300")]
        ),
    ]

    private func fuzz(_ mutation: Mutation, _ dialect: any ProviderDialect) async {
        let result = await mutation.run { bytes, cuts in
            let head = Self.heads[bytes.first == UInt8(ascii: "{") ? 1 + bytes.count % 2 : 0]
            return Reading(bytes.pieces(cuts), head, dialect) == Reading([bytes[...]], head, dialect)
        }
        #expect(result.failed.isEmpty, "inputs \(result.failed)")
        #expect(result.growth < Mutation.growthMax)
    }

    @Test("no answer in OpenAI's dialect crashes it, grows it, or shows how it was cut")
    func openAIMutants() async { await fuzz(Self.openAI, OpenAIDialect(Self.endpoint)) }

    @Test("no answer in Gemini's dialect crashes it, grows it, or shows how it was cut")
    func geminiMutants() async { await fuzz(Self.gemini, GeminiDialect(Self.endpoint)) }
}

import Application
import Domain
import TestSupport
import Testing

@testable import HTTPClient
@testable import Infrastructure

/// One odd answer and what it is read as: the rows of the table in `docs/providers.md`.
struct Oddity: Sendable, CustomTestStringConvertible {
    /// How an answer is read, without its words.
    enum End: Equatable {
        case whole(FinishReason)
        /// Another try or another provider may do better.
        case failed
        case refused
        case rejected
        case busy
    }

    var name: String
    var dialect: Int
    var body: String
    var type = "text/event-stream"
    var status = 200
    var fields: [(name: String, value: String)] = []
    /// The connection broke at the end of the body.
    var isTorn = false
    var answer = "x = 2"
    var reasoning = ""
    var end = End.whole(.stop)

    var testDescription: String { "\(["openai", "gemini"][dialect]): \(name)" }

    /// Reads it in pieces of `size` bytes.
    func reading(inPiecesOf size: Int) -> Reading {
        let bytes = Array(body.utf8)
        let pieces = stride(from: 0, to: bytes.count, by: size).map { bytes[$0..<min($0 + size, bytes.count)] }
        let head = HTTPClientResponse(status: status, headers: [("content-type", type)] + fields)
        return Reading(pieces, head, spokenDialects[dialect], isTorn ? .closed : nil)
    }
}

extension Oddity.End {
    init(_ end: Result<FinishReason, ProviderFailure>) {
        switch end {
        case .success(let reason): self = .whole(reason)
        case .failure(.rejected): self = .rejected
        case .failure(.refused): self = .refused
        case .failure(.busy): self = .busy
        case .failure: self = .failed
        }
    }
}

@Suite("What providers send oddly", .tags(.unit))
struct OddityTests {
    /// Each event, ended as the standard wants it.
    private static func events(_ data: [String]) -> String { data.map { "data: \($0)\n\n" }.joined() }

    /// An OpenAI-style stream.
    private static func openAI(
        _ name: String,
        _ data: String...,
        answer: String = "x = 2",
        reasoning: String = "",
        end: Oddity.End = .whole(.stop)
    ) -> Oddity {
        Oddity(name: name, dialect: 0, body: events(data), answer: answer, reasoning: reasoning, end: end)
    }

    private static func gemini(
        _ name: String,
        _ data: String...,
        answer: String = "x = 2",
        reasoning: String = "",
        end: Oddity.End = .whole(.stop)
    ) -> Oddity {
        Oddity(name: name, dialect: 1, body: events(data), answer: answer, reasoning: reasoning, end: end)
    }

    /// A delta with `content` as JSON, and a finish reason as JSON.
    private static func delta(_ content: String, _ reason: String = "null") -> String {
        #"{"choices":[{"index":0,"delta":{"content":\#(content)},"finish_reason":\#(reason)}]}"#
    }
    private static func part(_ text: String, _ more: String = "") -> String {
        #"{"candidates":[{"content":{"parts":[{"text":\#(text)}]}\#(more)}]}"#
    }
    private static let text = delta(#""x = 2""#)
    private static let half = delta(#""x = ""#)
    private static let stop = delta(#""""#, #""stop""#)
    private static let done = "[DONE]"
    private static let stopped = #","finishReason":"STOP""#
    private static let whole = part(#""x = 2""#, stopped)

    private static let digits = String(repeating: "9", count: 400)
    private static func hugeCounts(_ number: String) -> String {
        #"{"usage":{"prompt_tokens":\#(number),"completion_tokens":\#(number)},"choices":[{"delta":{}}]}"#
    }

    static let reasons = [
        openAI("an empty reason", delta(#""x = ""#, #""""#), delta(#""2""#, #""stop""#), done),
        openAI("the word null as reason", delta(#""x = ""#, #""null""#), delta(#""2""#, #""stop""#), done),
        openAI("stop on every chunk", delta(#""x = ""#, #""stop""#), delta(#""2""#, #""stop""#), done),
        openAI("stop ahead of the text", stop, half, delta(#""2""#), done),
        openAI("a reason as number", delta(#""x = 2""#, "0"), stop, done),
        openAI("a reason as number and no other", delta(#""x = 2""#, "0"), done),
        openAI("a reason as object", delta(#""x = 2""#, #"{"type":"length"}"#), done, end: .whole(.length)),
        openAI("a reason as empty object", delta(#""x = 2""#, "{}"), done),
        openAI("an early reason and no end", delta(#""x = ""#, #""stop""#), delta(#""2""#), end: .failed),
        openAI(
            "resources at an end",
            half,
            delta(#""""#, #""insufficient_system_resource""#),
            done,
            answer: "x = ",
            end: .failed
        ),
        openAI("a broken network", half, delta(#""""#, #""network_error""#), done, answer: "x = ", end: .failed),
        openAI("length, then stop", text, delta(#""""#, #""length""#), stop, done, end: .whole(.length)),
        openAI("length beside text, then stop", delta(#""x = 2""#, #""length""#), stop, done, end: .whole(.length)),
        openAI(
            "a filter, then stop",
            text,
            delta(#""""#, #""content_filter""#),
            stop,
            delta("null", #""length""#),
            done,
            end: .whole(.contentFilter)
        ),
        openAI(
            "two reasons in a chunk",
            #"{"choices":[{"delta":{"content":"x = 2","finish_reason":"length"},"finish_reason":"stop"}]}"#,
            done,
            end: .whole(.length)
        ),
        openAI("text behind length", half, delta("null", #""length""#), delta(#""2""#), stop, done),
        openAI("stop ahead of the text, and no word at the end", stop, half, delta(#""2""#)),
        openAI("words behind an early reason", stop, half, "Internal Server Error", answer: "x = ", end: .failed),
        openAI("a reason that nobody knows", half, delta(#""""#, #""preempted""#), done, answer: "x = ", end: .failed),
        gemini(
            "MAX_TOKENS, then STOP",
            part(#""x = 2""#, #","finishReason":"MAX_TOKENS""#),
            part(#""""#, stopped),
            end: .whole(.length)
        ),
        gemini(
            "SAFETY, then STOP",
            part(#""x = 2""#),
            #"{"candidates":[{"finishReason":"SAFETY"}]}"#,
            part(#""""#, stopped),
            end: .whole(.contentFilter)
        ),
        gemini(
            "a blocked prompt beside STOP",
            #"{"promptFeedback":{"blockReason":"SAFETY"},"candidates":[{"finishReason":"STOP"}]}"#,
            answer: "",
            end: .whole(.contentFilter)
        ),
        gemini(
            "STOP ahead of the text, and none behind it",
            #"{"candidates":[{"finishReason":"STOP"}]}"#,
            part(#""x = ""#),
            part(#""2""#)
        ),
        Oddity(
            name: "stop ahead of the text, then torn",
            dialect: 0,
            body: events([stop, half]),
            isTorn: true,
            answer: "x = ",
            end: .failed
        ),
        openAI("sensitive", text, delta(#""""#, #""sensitive""#), done, end: .whole(.contentFilter)),
        openAI("a full window", text, delta(#""""#, #""model_context_window_exceeded""#), done, end: .whole(.length)),
        gemini("STOP on every chunk", part(#""x = ""#, stopped), part(#""2""#, stopped)),
        gemini("STOP ahead of the text", #"{"candidates":[{"finishReason":"STOP"}]}"#, part(#""x = 2""#, stopped)),
        gemini(
            "STOP unspecified",
            part(#""x = ""#, #","finishReason":"FINISH_REASON_UNSPECIFIED""#),
            part(#""2""#, stopped)
        ),
        gemini("OTHER", part(#""x = ""#), part(#""""#, #","finishReason":"OTHER""#), answer: "x = ", end: .failed),
        gemini(
            "a malformed response",
            part(#""x = ""#),
            part(#""""#, #","finishReason":"MALFORMED_RESPONSE""#),
            answer: "x = ",
            end: .failed
        ),
        gemini(
            "too many tool calls",
            part(#""x = ""#, #","finishReason":"TOO_MANY_TOOL_CALLS""#),
            answer: "x = ",
            end: .failed
        ),
        Oddity(
            name: "a reason beside text, then torn",
            dialect: 0,
            body: events([delta(#""x = ""#, #""stop""#)]),
            isTorn: true,
            answer: "x = ",
            end: .failed
        ),
        Oddity(name: "a reason behind the text, then torn", dialect: 0, body: events([text, stop]), isTorn: true),
        Oddity(
            name: "STOP beside text, then torn",
            dialect: 1,
            body: events([part(#""x = ""#, stopped)]),
            isTorn: true,
            answer: "x = ",
            end: .failed
        ),
    ]

    static let contents = [
        openAI("a number as content", half, delta("2"), stop, done),
        openAI("a number alone", delta("2.50"), stop, done, answer: "2.50"),
        openAI(
            "content as a list of parts",
            delta(#"[{"type":"thinking","thinking":[{"type":"text","text":"2x is 4. "}]}]"#),
            delta(#"[{"type":"text","text":"x = "},{"type":"image_url","image_url":{"url":"BAD"}}]"#),
            delta(#""2""#),
            stop,
            done,
            reasoning: "2x is 4. ",
        ),
        openAI("content as one part", delta(#"{"type":"text","text":"x = 2"}"#), stop, done),
        openAI("content as a list of texts", delta(#"["x = ","2"]"#), stop, done),
        openAI(
            "reasoning as object",
            #"{"choices":[{"delta":{"reasoning":{"text":"hm"},"content":"x = 2"}}]}"#,
            stop,
            done,
            reasoning: "hm"
        ),
        openAI(
            "reasoning as details",
            #"{"choices":[{"delta":{"reasoning_details":[{"type":"reasoning.text","text":"hm"}],"content":"x = 2"}}]}"#,
            stop,
            done,
            reasoning: "hm"
        ),
        openAI("an emoji in two chunks", delta(#""\ud83d""#), delta(#""\ude00""#), stop, done, answer: "😀"),
        openAI("half an emoji", delta(#""x\ud83d""#), delta(#""y\ude00""#), stop, done, answer: "x\u{FFFD}y\u{FFFD}"),
        openAI("half an emoji at the end", delta(#""x\ud83d""#), stop, done, answer: "x\u{FFFD}"),
        openAI(
            "other choices",
            #"{"choices":[{"index":1,"delta":{"content":"BAD"},"finish_reason":"stop"},{"index":0,"delta":{"content":"x = 2"}}]}"#,
            #"{"choices":[{"index":1,"delta":{"content":"BAD"}}]}"#,
            stop,
            done
        ),
        openAI("only spaces", delta(#"" \n""#), stop, done, answer: "", end: .failed),
        openAI("a space of no width", delta(#""\u200b""#), stop, done, answer: "", end: .failed),
        openAI("spaces, then text", delta(#"" ""#), delta(#""x""#), stop, done, answer: " x"),
        gemini("a number as text", part("2", stopped), answer: "2"),
        gemini("an emoji in two parts", part(#""\ud83d""#), part(#""\ude00""#, stopped), answer: "😀"),
        gemini(
            "other candidates",
            #"{"candidates":[{"index":1,"content":{"parts":[{"text":"BAD"}]}},{"index":0,"content":{"parts":[{"text":"x = 2"}]},"finishReason":"STOP"}]}"#
        ),
        gemini("parts as object", #"{"candidates":[{"content":{"parts":{"text":"x = 2"}},"finishReason":"STOP"}]}"#),
        gemini("only spaces", part(#"" ""#, stopped), answer: "", end: .failed),
    ]

    static let thinking = [
        openAI(
            "thinking in the text",
            delta(#""<thi""#),
            delta(#""nk>2x is 4</th""#),
            delta(#""ink>\n\nx = 2""#),
            stop,
            done,
            reasoning: "2x is 4"
        ),
        openAI("thinking behind a line end", delta(#""\n<think>\nhm</think>x = 2""#), stop, done, reasoning: "hm"),
        openAI("empty thinking", delta(#""<think>\n\n</think>\n\nx = 2""#), stop, done),
        openAI("a tag later on", delta(#""x <think>2</think>""#), stop, done, answer: "x <think>2</think>"),
        openAI("less than", delta(#""<""#), delta(#""5""#), stop, done, answer: "<5"),
        openAI("a beginning of a tag alone", delta(#""<thi""#), stop, done, answer: "<thi"),
        openAI(
            "thinking without end",
            delta(#""<think>hm""#),
            delta(#""""#, #""length""#),
            done,
            answer: "",
            reasoning: "hm",
            end: .whole(.length)
        ),
        gemini(
            "thinking in the text",
            part(#""<think>2x is 4</thi""#),
            part(#""nk>x = 2""#, stopped),
            reasoning: "2x is 4"
        ),
    ]

    static let errors = [
        openAI(
            "an object that is an error",
            half,
            #"{"object":"error","code":500}"#,
            done,
            answer: "x = ",
            end: .failed
        ),
        openAI(
            "a bad request within the stream",
            #"{"object":"error","code":400,"message":"This model's maximum context length is 9"}"#,
            answer: "",
            end: .rejected
        ),
        openAI("a limit within the stream", #"{"error":{"code":"429","message":"m"}}"#, answer: "", end: .busy),
        openAI(
            "an error of a choice",
            half,
            #"{"choices":[{"error":{"code":502,"message":"m"},"delta":{}}]}"#,
            done,
            answer: "x = ",
            end: .failed
        ),
        openAI(
            "no success",
            half,
            #"{"success":false,"errors":[{"message":"m"}]}"#,
            done,
            answer: "x = ",
            end: .failed
        ),
        openAI("a detail", half, #"{"detail":"m"}"#, done, answer: "x = ", end: .failed),
        openAI("a type of error", half, #"{"type":"error","message":"m"}"#, done, answer: "x = ", end: .failed),
        Oddity(
            name: "a field named error",
            dialect: 0,
            body: events([half]) + "error: {\"code\":500,\"message\":\"m\"}\n\n" + events([done]),
            answer: "x = ",
            end: .failed
        ),
        Oddity(
            name: "a field named error before data",
            dialect: 0,
            body: events([half]) + "error:{\"code\":400,\"message\":\"prompt too long\"}\ndata: [DONE]\n\n",
            answer: "x = ",
            end: .rejected
        ),
        Oddity(
            name: "an event named error",
            dialect: 0,
            body: events([half]) + "event: error\ndata: {\"message\":\"overloaded\"}\n\n" + events([done]),
            answer: "x = ",
            end: .failed
        ),
        Oddity(
            name: "an event named error without data",
            dialect: 0,
            body: events([half]) + "event: error\n\n" + events([done]),
            answer: "x = ",
            end: .failed
        ),
        Oddity(
            name: "an error without a field",
            dialect: 0,
            body: events([half]) + "{\"error\":{\"code\":500}}\n\n" + events([done]),
            answer: "x = ",
            end: .failed
        ),
        Oddity(
            name: "words, and no reason",
            dialect: 0,
            body: events([half, "Internal Server Error", done]),
            answer: "x = ",
            end: .failed
        ),
        Oddity(
            name: "an event named error",
            dialect: 1,
            body: events([part(#""x = ""#)]) + "event: error\r\ndata: {\"message\":\"overloaded\"}\r\n\r\n",
            answer: "x = ",
            end: .failed
        ),
        Oddity(
            name: "a list around an error",
            dialect: 1,
            body: #"[{"error":{"code":400,"status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}]"#,
            type: "application/json",
            status: 400,
            answer: "",
            end: .refused
        ),
        Oddity(
            name: "a list around an error at 200",
            dialect: 1,
            body: #"[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}]"#,
            type: "application/json",
            answer: "",
            end: .busy
        ),
        Oddity(
            name: "a wrong request in a list",
            dialect: 1,
            body: #"[{"error":{"code":400,"status":"INVALID_ARGUMENT","message":"The input token count exceeds 9"}}]"#,
            status: 400,
            answer: "",
            end: .rejected
        ),
        Oddity(
            name: "a shape that it does not take",
            dialect: 1,
            body: #"{"error":{"code":400,"message":"Invalid JSON payload received. Unknown name \"x\""}}"#,
            status: 400,
            answer: "",
            end: .refused
        ),
    ]

    static let pauses = ["1e30", "1e300", "-1e308", digits].flatMap { number in
        [
            openAI(
                "a pause of \(number.prefix(9))",
                #"{"error":{"code":429,"retry_after":\#(number)}}"#,
                answer: "",
                end: .busy
            ),
            gemini(
                "a delay of \(number.prefix(9))",
                #"{"error":{"code":429,"details":[{"retryDelay":"\#(number)s"},{"retryDelay":{"seconds":\#(number)}}]}}"#,
                answer: "",
                end: .busy
            ),
            Oddity(
                name: "a pause in a field of \(number.prefix(9))",
                dialect: 0,
                body: "{}",
                status: 503,
                fields: [("retry-after-ms", number), ("retry-after", number)],
                answer: "",
                end: .failed
            ),
        ]
    }

    /// Errors that are told in no common form, behind text and ahead of `[DONE]`.
    static let strangeErrors =
        [
            #"{"text":"m","error_code":50001}"#, #"{"error_code":500}"#, #"{"error_code":"E7"}"#,
            #"{"base_resp":{"status_code":1002,"status_msg":"rate limit"},"choices":null}"#,
            #"{"type":"about:blank","title":"m","status":500}"#, #"{"status_code":500}"#, #"{"http_status":500}"#,
            #"{"errorMessage":"m","errorType":"T"}"#, #"{"errorCode":"x"}"#, #"{"err":"x"}"#, #"{"exception":"x"}"#,
            #"{"Error":{"Code":"x"}}"#, #"{"ok":false}"#, #"{"response":{"error":{"code":"x"}}}"#,
            #"{"choices":[{"delta":{"error":{"message":"m"}}}]}"#,
            #"{"choices":[{"index":0,"delta":{},"status":"error"}]}"#, #""Internal Server Error""#, #""error""#, "500",
        ].map { openAI("an error \($0)", half, $0, done, answer: "x = ", end: .failed) }
        + ["completion.error", "failed", "abort", "exception", "response.failed"].flatMap { type in
            ["", "{}", "[DONE]", "m"].map { data in
                Oddity(
                    name: "an event \(type) with \(data)",
                    dialect: 0,
                    body: events([half]) + "event: \(type)\ndata: \(data)\n\n" + events([done]),
                    answer: "x = ",
                    end: .failed
                )
            }
        }
        + [
            "Internal Server Error: upstream", "Exception: boom", "HTTP/1.1 502 Bad Gateway", "Bad Gateway",
            "upstream connect error or disconnect/reset before headers. reset reason: overflow",
        ].map { line in
            Oddity(
                name: "a line \(line)",
                dialect: 0,
                body: events([half]) + "\(line)\n\n" + events([done]),
                answer: "x = ",
                end: .failed
            )
        }
        + [
            Oddity(
                name: "a bare error of several lines behind a reason beside text",
                dialect: 0,
                body: events([delta(#""x = ""#, #""stop""#)]) + "{\n  \"error\": {\n    \"message\": \"m\"\n  }\n}\n",
                answer: "x = ",
                end: .failed
            ),
            Oddity(
                name: "a torn error behind a reason beside text",
                dialect: 0,
                body: events([delta(#""x = ""#, #""stop""#)]) + "{\n  \"error\": {\n\n",
                answer: "x = ",
                end: .failed
            ),
            gemini(
                "an error of a candidate",
                part(#""x = ""#),
                #"{"candidates":[{"error":{"code":500}}]}"#,
                answer: "x = ",
                end: .failed
            ),
        ]

    /// What looks like an error and is none.
    static let harmless = [
        openAI(
            "codes of success",
            #"{"base_resp":{"status_code":0,"status_msg":""},"code":0,"choices":[{"delta":{"content":"x = "}}]}"#,
            #"{"status":"completed","error_code":0,"err":null,"choices":[{"status":"ok","delta":{"content":"2"}}]}"#,
            #"{"error_code":"200","errorMessage":"","exception":null,"ok":true,"status_code":200}"#,
            #"{"response":{"error":null},"status":"completed","errno":"0"}"#,
            "200",
            done
        ),
        openAI("a reason beside no choices", text, #"{"choices":[],"finish_reason":"length"}"#, end: .whole(.length)),
        Oddity(
            name: "comments and lines of words",
            dialect: 0,
            body: ": connected: yes\n" + events([half]) + "x-note: y\n\n: c: d\n\n"
                + events([delta(#""2""#), stop, done])
        ),
        Oddity(
            name: "a bare value of several lines",
            dialect: 0,
            body: events([half]) + "{\n\"choices\": [\n  {\"delta\": {\"content\": \"2\"}}\n]}\n"
                + events([stop, done])
        ),
    ]

    /// A 400 in place of an answer.
    private static func refusal(_ body: String, _ end: Oddity.End) -> Oddity {
        Oddity(name: "a 400 with \(body)", dialect: 0, body: body, status: 400, answer: "", end: end)
    }

    static let refusals =
        [
            #"{"code":"Client specified an invalid argument","error":"Incorrect API key provided: xai-1"}"#,
            #"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}"#,
            #"{"error":{"code":"model_not_found","message":"The model `m` does not exist"}}"#,
            #"{"error":{"message":"m is not a valid model ID","code":400}}"#, #"{"error":{"code":"invalid_model"}}"#,
            #"{"error":{"message":"unexpected model name format","status":"INVALID_ARGUMENT"}}"#,
            #"{"error":{"code":"MissingApiVersionParameter","message":"The api-version query parameter is required"}}"#,
            #"{"error":{"message":"Your account has been flagged for unsafe content"}}"#, #"{"error":{"code":400}}"#,
            "<html><h1>Bad Request - Input Too Long</h1></html>", "<html>400</html>", "", "no",
        ].map { refusal($0, .refused) }
        + [
            refusal(#"{"error":{"code":"rate_limit_exceeded","message":"m"}}"#, .busy),
            refusal(#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#, .failed),
            refusal(#"{"error":{"code":"context_length_exceeded","message":"m"}}"#, .rejected),
            refusal(#"{"error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens"}}"#, .rejected),
            refusal(#"{"error":{"code":"invalid_prompt","message":"m"}}"#, .rejected),
            refusal("the prompt is too long", .rejected),
            refusal(#"{"error":{"code":"content_filter","message":"m","status":400}}"#, .whole(.contentFilter)),
            refusal(
                #"{"error":{"code":"x","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
                .whole(.contentFilter)
            ),
            openAI(
                "a filter as error of a stream",
                half,
                #"{"error":{"code":"content_filter","message":"m"}}"#,
                answer: "x = ",
                end: .whole(.contentFilter)
            ),
        ]

    static let all =
        reasons + contents + thinking + errors + strangeErrors + pauses + surroundings + harmless + refusals

    static let surroundings = [
        openAI("empty data", "", half, "", delta(#""2""#), " ", stop, done),
        openAI("[DONE] with a space", text, stop, "[DONE] "),
        openAI("[done]", text, "[done]"),
        openAI("a message beside a whole answer", text, #"{"message":"processing"}"#, stop, done),
        openAI("a ping with a message", text, #"{"type":"ping","message":"m"}"#, done),
        openAI("garbage behind the reason", text, stop, "{garbage", done),
        openAI("words between", "ping", "[PING]", "[keep-alive]", half, "null", delta(#""2""#), #""ping""#, stop, done),
        openAI("usage as text", #"{"usage":"12","choices":[{"delta":{"content":"x = 2"}}]}"#, stop, done),
        openAI("usage as fraction", #"{"usage":9.5,"choices":[{"delta":{"content":"x = 2"}}]}"#, stop, done),
        openAI("usage as list", #"{"usage":[],"choices":[{"delta":{"content":"x = 2"}}]}"#, stop, done),
        openAI(
            "usage beyond all bounds",
            #"{"usage":{"prompt_tokens":9223372036854775808},"choices":[{"delta":{"content":"x = 2"}}]}"#,
            stop,
            done
        ),
        openAI("a huge usage", text, hugeCounts("1e30"), hugeCounts("-1e308"), hugeCounts(digits), stop, done),
        openAI(
            "an index that cannot be read",
            half,
            #"{"choices":[{"index":1e30,"delta":{"content":"2"}}]}"#,
            stop,
            done
        ),
        gemini(
            "a huge usage",
            #"{"usageMetadata":{"promptTokenCount":1e30,"candidatesTokenCount":9223372036854775807,"#
                + #""thoughtsTokenCount":9223372036854775807}}"#,
            #"{"usageMetadata":{"promptTokenCount":\#(digits),"candidatesTokenCount":-9223372036854775808,"#
                + #""thoughtsTokenCount":-9223372036854775808}}"#,
            whole
        ),
        openAI(
            "an empty error",
            #"{"error":"","choices":[{"delta":{"content":"x = "}}]}"#,
            #"{"error":false,"choices":[{"delta":{"content":"2"}}]}"#,
            #"{"error":{}}"#,
            stop,
            done
        ),
        openAI("NaN", #"{"logprob":NaN,"x":-Infinity,"choices":[{"delta":{"content":"x = 2"}}]}"#, stop, done),
        openAI("a line end that is missing", half + "data: " + delta(#""2""#) + "data: [DONE]"),
        openAI(
            "an empty delta beside a message",
            #"{"choices":[{"delta":{},"message":{"content":"x = 2"}}]}"#,
            stop,
            done
        ),
        openAI(
            "an empty delta beside the whole message",
            half,
            delta(#""2""#),
            #"{"choices":[{"delta":{"content":""},"message":{"content":"x = 2"},"finish_reason":"stop"}]}"#,
            done
        ),
        openAI(
            "an empty reasoning beside another",
            #"{"choices":[{"delta":{"reasoning_content":"","reasoning":"hm","content":"x = 2"}}]}"#,
            stop,
            done,
            reasoning: "hm"
        ),
        openAI("a reason of the delta", #"{"choices":[{"delta":{"content":"x = 2","finish_reason":"stop"}}]}"#),
        openAI("one choice as object", #"{"choices":{"delta":{"content":"x = 2"},"finish_reason":"stop"}}"#),
        openAI(
            "an error without choices",
            half,
            #"{"object":"error","message":"m","choices":[]}"#,
            done,
            answer: "x = ",
            end: .failed
        ),
        gemini(
            "names with underscores",
            #"{"candidates":[{"content":{"parts":[{"text":"x = 2"}]},"finish_reason":"STOP"}]}"#
        ),
        openAI("two values in one event", half + "\n" + delta(#""2""#), stop, done),
        openAI("the field's name twice", "data: " + text, stop, "data: [DONE]"),
        openAI(
            "the whole answer once more",
            half,
            delta(#""2""#),
            #"{"choices":[{"message":{"content":"x = 2"},"finish_reason":"stop"}]}"#,
            done
        ),
        gemini(
            "usage as text",
            #"{"usageMetadata":"x","candidates":[{"content":{"parts":[{"text":"x = 2"}]},"finishReason":"STOP"}]}"#
        ),
        gemini("[DONE]", whole, done),
        gemini("empty data", "", whole, ""),
        Oddity(
            name: "pings",
            dialect: 0,
            body: "event: ping\ndata: {\"type\":\"ping\"}\n\n" + events([half]) + "event: ping\ndata:\n\n: c\n\n"
                + events([delta(#""2""#), stop, done])
        ),
        Oddity(
            name: "a last event without empty line",
            dialect: 0,
            body: events([half]) + "data: " + delta(#""2""#, #""stop""#)
        ),
        Oddity(
            name: "a last event without empty line",
            dialect: 1,
            body: events([part(#""x = ""#)]) + "data: " + part(#""2""#, stopped) + "\r\n"
        ),
        Oddity(
            name: "a torn rest",
            dialect: 1,
            body: events([part(#""x = ""#, stopped)]) + "data: " + part(#""2""#).dropLast(9),
            answer: "x = ",
            end: .failed
        ),
        Oddity(
            name: "a torn rest of a torn connection",
            dialect: 1,
            body: events([part(#""x = ""#)]) + "data: " + whole,
            isTorn: true,
            answer: "x = ",
            end: .failed
        ),
        Oddity(
            name: "an event stream as JSON",
            dialect: 0,
            body: events([text, stop, done]),
            type: "application/json"
        ),
        Oddity(
            name: "an event stream as text",
            dialect: 0,
            body: "\u{FEFF}\r\n" + events([text, stop, done]),
            type: "text/plain"
        ),
        Oddity(name: "status 201", dialect: 0, body: events([text, stop, done]), status: 201),
        Oddity(name: "status 203", dialect: 1, body: events([whole]), status: 203),
        Oddity(
            name: "a document without reason",
            dialect: 0,
            body: #"{"choices":[{"message":{"content":"x = 2"}}]}"#,
            type: "application/json"
        ),
        Oddity(name: "a document without reason", dialect: 1, body: part(#""x = 2""#), type: "application/json"),
        Oddity(
            name: "a document as event stream",
            dialect: 0,
            body: #"{"choices":[{"message":{"content":"x = 2"},"finish_reason":"stop"}]}"#
        ),
        Oddity(
            name: "a torn document",
            dialect: 1,
            body: String(part(#""x = 2""#).dropLast(2)),
            type: "application/json",
            answer: "",
            end: .failed
        ),
        Oddity(
            name: "a list in place of a stream",
            dialect: 1,
            body: "[" + part(#""x = ""#) + "\n,\r\n" + part(#""2""#, stopped) + "]\n",
            type: "application/json"
        ),
        Oddity(
            name: "a list that is not closed",
            dialect: 1,
            body: "[" + part(#""x = ""#, stopped) + "\n,",
            type: "application/json",
            answer: "x = ",
            end: .failed
        ),
        Oddity(
            name: "lines of JSON",
            dialect: 0,
            body: half + "\n" + delta(#""2""#, #""stop""#) + "\n",
            type: "application/x-ndjson"
        ),
    ]

    @Test("each is read as its meaning, however it is cut", arguments: all)
    func oddities(_ oddity: Oddity) {
        for size in [1, 2, 7, 1_000_000] {
            let reading = oddity.reading(inPiecesOf: size)
            #expect(reading.answer.joined() == oddity.answer, "\(size)")
            #expect(reading.reasoning.joined() == oddity.reasoning, "\(size)")
            #expect(Oddity.End(reading.end) == oddity.end, "\(size): \(reading.end)")
        }
    }

    @Test("line ends and keep-alives between the events change nothing", arguments: all)
    func surrounded(_ oddity: Oddity) {
        let body = oddity.body
        let isDocument = body.hasPrefix("{") || body.hasPrefix("[")
        let pings = ["\n\n: c\n\n", "\n\ndata:\n\n", "\n\nevent: ping\ndata: {}\n\n", "\n\ndata: null\n\nretry: 5\n\n"]
        let bodies =
            ["\r\n", "\r"].map { body.replacing("\r", with: "").replacing("\n", with: $0) }
            + pings.map { body.replacing("\n\n", with: $0) }
            + (isDocument ? ["\n \r\n" + body] : pings.map { $0.dropFirst(2) + body })
        for body in bodies {
            var odd = oddity
            odd.body = body
            let reading = odd.reading(inPiecesOf: 1_000_000)
            #expect(reading.answer.joined() == oddity.answer, "\(body)")
            #expect(reading.reasoning.joined() == oddity.reasoning, "\(body)")
            #expect(Oddity.End(reading.end) == oddity.end, "\(body): \(reading.end)")
        }
    }

    @Test("thinking is told apart wherever the text is cut")
    func cuts() {
        let text = "<think>2x is 4</think>".map(String.init) + [#"\n"#, #"\n"#] + "x = 2".map(String.init)
        for first in 0...text.count {
            for second in first...text.count {
                let parts = [text[..<first], text[first..<second], text[second...]]
                let chunks = parts.map { Self.delta("\"\($0.joined())\"") } + [Self.stop, Self.done]
                let reading = Oddity(name: "", dialect: 0, body: Self.events(chunks)).reading(inPiecesOf: 1_000_000)
                #expect(reading.answer.joined() == "x = 2", "\(first) \(second)")
                #expect(reading.reasoning.joined() == "2x is 4", "\(first) \(second)")
            }
        }
    }

    @Test("what can be read of a usage is read")
    func usage() {
        let usage =
            #"{"prompt_tokens":"3","completion_tokens":2.0,"completion_tokens_details":{"reasoning_tokens":[]}}"#
        let odd = Self.openAI(
            "",
            #"{"usage":\#(usage),"choices":[{"delta":{"content":"x = 2"}}]}"#,
            Self.stop,
            Self.done
        )
        #expect(odd.reading(inPiecesOf: 100).usage == TokenUsage(inputTokens: 3, outputTokens: 2, isEstimated: false))
    }
}

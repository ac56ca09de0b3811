import Domain

extension Oddity {
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

    /// Errors in unusual forms, behind text and ahead of `[DONE]`.
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

    /// What looks like an error and is not one.
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
    private static func refusal(_ body: String, _ end: End) -> Oddity {
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
}

import Domain

extension Oddity {
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
        openAI("an unknown reason", half, delta(#""""#, #""preempted""#), done, answer: "x = ", end: .failed),
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
}

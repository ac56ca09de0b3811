extension Oddity {
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
}

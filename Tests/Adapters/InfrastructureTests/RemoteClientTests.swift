import Application
import Domain
import EventLoop
import HTTPClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

/// One call of a provider whose server sends exactly the bytes that the test gives it.
private struct Exchange {
    let end: Result<FinishReason, ProviderFailure>
    let texts: [String]
    let reasoning: [String]
    let usage: TokenUsage?
}

private enum Dialect: CaseIterable {
    case openai
    case gemini

    func chunk(_ text: String) -> String {
        switch self {
        case .openai: #"{"choices":[{"delta":{"content":"\#(text)"}}]}"#
        case .gemini: #"{"candidates":[{"content":{"parts":[{"text":"\#(text)"}]}}]}"#
        }
    }

    var end: String {
        switch self {
        case .openai: #"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#
        case .gemini: #"{"candidates":[{"finishReason":"STOP"}]}"#
        }
    }

    func make(_ url: String) -> any ProviderDialect {
        let endpoint = ProviderEndpoint(baseURL: url + "v1", model: "m", apiKey: "sk-hidden")
        switch self {
        case .openai: return OpenAIDialect(endpoint)
        case .gemini: return GeminiDialect(endpoint)
        }
    }

    /// Calls a server that runs `onRequest`.
    func ask(
        for attempt: AttemptName? = nil,
        _ onRequest: @escaping @Sendable (RawServer.Connection) -> Void
    ) async throws -> Exchange {
        try await onLoop { loop in
            let server = try await RawServer(on: loop, onRequest)
            let transport = HTTPTransport(on: loop)
            defer { transport.close() }
            let sink = SinkRecorder(ManualClock(loop: loop))
            let client = RemoteClient(make(server.url), transport: transport, connectTimeout: .seconds(10))
            var end: Result<FinishReason, ProviderFailure>
            do throws(ProviderFailure) {
                end = .success(try await client.stream(providerRequest("x", for: attempt), into: sink))
            } catch {
                #expect(!"\(error)".contains("127.0.0.1") && !"\(error)".contains("sk-hidden"), "\(error)")
                end = .failure(error)
            }
            return Exchange(end: end, texts: sink.texts, reasoning: sink.reasoning, usage: sink.account?.usage)
        }
    }
}

private let streamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"

private func events(_ data: String...) -> String { data.map { "data: \($0)\n\n" }.joined() }

extension RawServer.Connection {
    /// Sends an answer whose end is the end of the connection.
    fileprivate func answer(_ text: String) {
        send(text)
        stream.finish()
    }
}

@Suite("A remote provider's answer", .tags(.integration))
struct RemoteClientTests {
    @Test("text comes as it is sent, and the answer ends with its reason", arguments: Dialect.allCases)
    fileprivate func whole(dialect: Dialect) async throws {
        let exchange = try await dialect.ask { connection in
            connection.answer(streamHead + ": hello\n\n" + events(dialect.chunk("a"), dialect.chunk("b"), dialect.end))
        }
        #expect(exchange.end == .success(.stop))
        #expect(exchange.texts == ["a", "b"])
    }

    @Test("a provider receives the ids of the request and the attempt", arguments: Dialect.allCases)
    fileprivate func names(dialect: Dialect) async throws {
        let id = try #require(CorrelationID("017f22e2-79b0-7cc3-98c4-dc0c0c07398f"))
        let exchange = try await dialect.ask(for: AttemptName(correlationID: id, number: 2)) { connection in
            let names = ["X-Correlation-ID: \(id)\r\n", "X-Client-Request-Id: \(id)-2\r\n"]
            let told = names.map { connection.text.contains($0) ? "told " : "untold " }.joined()
            connection.answer(streamHead + events(dialect.chunk(told), dialect.end))
        }
        switch dialect {
        case .openai: #expect(exchange.texts == ["told told "])
        case .gemini: #expect(exchange.texts == ["told untold "])
        }
    }

    @Test("after [DONE] nothing is waited for and nothing counts; usage before it does")
    func done() async throws {
        let usage = #"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#
        let exchange = try await Dialect.openai.ask { connection in
            let first = #"{"choices":[{"delta":{"reasoning":"r"}}]}"#
            connection.send(streamHead + events(first, Dialect.openai.chunk("a"), Dialect.openai.end))
            connection.send(events(usage, "[DONE]", Dialect.openai.chunk("z"), "garbage"))
        }
        #expect(exchange.end == .success(.stop))
        #expect(exchange.texts == ["a"] && exchange.reasoning == ["r"])
        #expect(exchange.usage == TokenUsage(inputTokens: 3, outputTokens: 2, isEstimated: false))
    }

    @Test("a whole answer stays whole when its formalities never come", arguments: Dialect.allCases)
    fileprivate func formalities(dialect: Dialect) async throws {
        if dialect == .openai {
            let silent = try await dialect.ask { $0.send(streamHead + events(dialect.chunk("a"), dialect.end)) }
            #expect(silent.end == .success(.stop) && silent.texts == ["a"])
        }
        let cut = try await dialect.ask { connection in
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            let body = events(dialect.chunk("a"), dialect.end)
            connection.answer("\(head)\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n")
        }
        #expect(cut.end == .success(.stop) && cut.texts == ["a"])
    }

    @Test(
        "an answer that is cut before its reason is an error, and no part of a character is delivered",
        arguments: Dialect.allCases
    )
    fileprivate func cut(dialect: Dialect) async throws {
        let event = events(dialect.chunk("é"))
        let bytes = Array(event.utf8)
        let inCharacter = (bytes.firstIndex(of: 0xC3) ?? 0) + 1
        for (count, texts) in [
            (0, []), (inCharacter, []), (bytes.count - 6, []), (bytes.count - 2, ["é"]), (bytes.count, ["é"]),
        ] {
            let exchange = try await dialect.ask { connection in
                connection.send(streamHead)
                connection.send(Array(bytes.prefix(count)))
                connection.stream.finish()
            }
            let isTorn = !texts.isEmpty || count == 0
            let how = isTorn ? "ended its answer too early" : "sent what is no answer"
            #expect(exchange.end == .failure(.unavailable(detail: "The provider \(dialect) \(how).")), "\(count)")
            #expect(exchange.texts == texts)
        }
    }

    @Test("garbage and a line without end are no answer", arguments: Dialect.allCases)
    fileprivate func nonsense(dialect: Dialect) async throws {
        for body in [events("garbage"), events(#"{"choices":7,"candidates":7}"#), events("[1,2]"), events("")] {
            let exchange = try await dialect.ask { $0.answer(streamHead + body) }
            #expect(
                exchange.end == .failure(.unavailable(detail: "The provider \(dialect) ended its answer too early."))
            )
        }
        for body in [events("{nonsense"), events("[1, 2"), events(#"{"choices":[{"#)] {
            let exchange = try await dialect.ask { $0.answer(streamHead + body) }
            #expect(exchange.end == .failure(.unavailable(detail: "The provider \(dialect) sent what is no answer.")))
        }
        let html = try await dialect.ask { $0.answer("HTTP/1.1 200 OK\r\n\r\n<html>hello</html>\n") }
        #expect(html.end == .failure(.unavailable(detail: "The provider \(dialect) ended its answer too early.")))
        let line = try await dialect.ask { connection in
            connection.send(streamHead + "data: ")
            for _ in 0..<100 { connection.send(String(repeating: "x", count: 100_000)) }
        }
        guard case .failure(.unavailable(let detail, nil)) = line.end, detail.contains("line") else {
            Issue.record("\(line.end)")
            return
        }
        let noHTTP = try await dialect.ask { $0.answer("SSH-2.0-x\r\n\r\n") }
        guard case .failure(.unavailable) = noHTTP.end else {
            Issue.record("\(noHTTP.end)")
            return
        }
    }

    @Test("an error inside of an answer is one, with what its status means", arguments: Dialect.allCases)
    fileprivate func reported(dialect: Dialect) async throws {
        for (error, expected) in [
            (#"{"error":{"message":"sk-hidden","type":"server_error"}}"#, "unavailable"),
            (#"{"error":"text"}"#, "unavailable"), (#"{"error":{"code":429}}"#, "busy"),
            (#"{"error":{"code":401}}"#, "refused"), (#"{"error":{"code":400}}"#, "refused"),
            (#"{"error":{"code":400,"message":"prompt is too long"}}"#, "rejected"),
            (#"{"error":{"code":"insufficient_quota"}}"#, "refused"),
        ] {
            let exchange = try await dialect.ask { connection in
                connection.answer(streamHead + events(dialect.chunk("a"), error, dialect.end))
            }
            guard case .failure(let failure) = exchange.end else {
                Issue.record("\(error)")
                continue
            }
            #expect("\(failure)".hasPrefix(expected), "\(error): \(failure)")
            #expect(exchange.texts == ["a"])
        }
    }

    @Test(
        "each status has one meaning",
        arguments: [
            (400, "refused"), (401, "refused"), (402, "refused"), (403, "refused"), (404, "refused"),
            (405, "refused"), (413, "refused"), (408, "unavailable"), (429, "busy"),
            (500, "unavailable"), (502, "unavailable"), (503, "unavailable"), (529, "unavailable"),
            (301, "refused"), (302, "refused"), (307, "refused"), (204, "refused"),
        ],
    )
    func statuses(status: Int, meaning: String) async throws {
        for body in [#"{"error":{"message":"sk-hidden","code":"some_code"}}"#, "<html>sk-hidden</html>", ""] {
            let exchange = try await Dialect.openai.ask { connection in
                let fields = "Content-Type: application/json\r\nLocation: http://127.0.0.1:1/\r\nRetry-After: 7\r\n"
                connection.answer("HTTP/1.1 \(status) X\r\n\(fields)Connection: close\r\n\r\n\(body)")
            }
            guard case .failure(let failure) = exchange.end else {
                Issue.record("\(status)")
                return
            }
            #expect("\(failure)".hasPrefix(meaning), "\(failure)")
            #expect("\(failure)".contains("\(status)"))
            #expect(("\(failure)".contains("some_code")) == (body.hasPrefix("{") && status != 204))
            switch failure {
            case .busy(_, let pause), .unavailable(_, let pause): #expect(pause == .seconds(7))
            case .cancelled, .timedOut, .noRoom, .refused, .adapted, .rejected: break
            }
        }
    }

    @Test("a body in place of a stream is an answer in one piece, or an error")
    func body() async throws {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nConnection: close\r\n\r\n"
        let message = #"{"choices":[{"message":{"content":"x = 2"},"finish_reason":"length"}]}"#
        let exchange = try await Dialect.openai.ask { $0.answer(head + message) }
        #expect(exchange.end == .success(.length) && exchange.texts == ["x = 2"])
        for (body, detail) in [
            (#"{"error":{"type":"overloaded"}}"#, "failed (503, overloaded)"), ("{}", "sent what is no answer"),
            ("", "ended its answer too early"), (message.dropLast(), "sent what is no answer"),
        ] as [(Substring, String)] {
            let exchange = try await Dialect.openai.ask { $0.answer(head + body) }
            #expect(exchange.end == .failure(.unavailable(detail: "The provider openai \(detail).")))
        }
    }

    @Test("an answer without a word is none, unless a filter or a limit is why")
    func empty() async throws {
        for (reason, end) in [
            ("stop", .failure(.unavailable(detail: "The provider openai gave an empty answer."))),
            ("content_filter", .success(.contentFilter)), ("length", .success(.length)),
        ] as [(String, Result<FinishReason, ProviderFailure>)] {
            let exchange = try await Dialect.openai.ask { connection in
                let last = #"{"choices":[{"delta":{"content":""},"finish_reason":"\#(reason)"}]}"#
                connection.answer(streamHead + events(last, "[DONE]"))
            }
            #expect(exchange.end == end)
        }
    }

    @Test("an answer without end is cut like one that reaches its limit")
    func endless() async throws {
        let text = String(repeating: "x", count: 10_000)
        let exchange = try await Dialect.openai.ask { connection in
            connection.send(streamHead)
            for _ in 0..<200 { connection.send(events(Dialect.openai.chunk(text))) }
        }
        #expect(exchange.end == .success(.length))
        let bytes = exchange.texts.reduce(0) { $0 + $1.utf8.count }
        #expect(bytes > 1 << 20 && bytes < (1 << 20) + 2 * text.utf8.count)
    }

    @Test("a refused connection and a server that closes without a response can be retried")
    func unreachable() async throws {
        let closing = try await Dialect.openai.ask { $0.stream.close() }
        guard case .failure(.unavailable) = closing.end else {
            Issue.record("\(closing.end)")
            return
        }
        try await onLoop { loop in
            let transport = HTTPTransport(on: loop)
            defer { transport.close() }
            let dialect = Dialect.openai.make("http://127.0.0.1:\(try LoopbackSocket.freePort())/")
            let client = RemoteClient(dialect, transport: transport, connectTimeout: .seconds(10))
            let detail = "The provider openai failed: the server could not be reached."
            await #expect(throws: ProviderFailure.unavailable(detail: detail)) {
                _ = try await client.stream(providerRequest("x"), into: SinkRecorder(ManualClock(loop: loop)))
            }
        }
    }

    @Test("without room the provider has to wait, and nothing is lost")
    func backPressure() async throws {
        try await onLoop { loop in
            let count = 1600
            let text = String(repeating: "x", count: 10_000)
            let server = try await RawServer(on: loop) { connection in
                connection.send(streamHead)
                for _ in 0..<100 { connection.send(events(Dialect.openai.chunk("y"))) }
                for _ in 0..<count { connection.send(": \(text)\n") }
                connection.answer(events(Dialect.openai.chunk("z"), Dialect.openai.end))
            }
            let transport = HTTPTransport(on: loop)
            defer { transport.close() }
            let sink = SinkRecorder(ManualClock(loop: loop))
            let gate = OneShot<Void>(loop: loop)
            sink.gate = gate
            let client = RemoteClient(
                Dialect.openai.make(server.url),
                transport: transport,
                connectTimeout: .seconds(10)
            )
            var end: FinishReason?
            loop.spawn { end = try? await client.stream(providerRequest("x"), into: sink) }
            try await eventually("some text", on: loop) { !sink.texts.isEmpty }
            let unsent = try await settled(on: loop) { server.connections[0].stream.pendingBytes }
            #expect(unsent > 1_000_000, "the server cannot get rid of its answer")
            sink.gate = nil
            gate.succeed(())
            try await eventually("the end", on: loop) { end != nil }
            #expect(end == .stop && sink.texts.count == 101)
        }
    }

    @Test("cancelling closes the provider's socket", arguments: Dialect.allCases)
    fileprivate func cancellation(dialect: Dialect) async throws {
        for body in ["", streamHead, streamHead + events(dialect.chunk("a"))] {
            try await onLoop { loop in
                var isThere = false
                let server = try await RawServer(on: loop) { connection in
                    isThere = true
                    connection.send(body)
                }
                let transport = HTTPTransport(on: loop)
                defer { transport.close() }
                let sink = SinkRecorder(ManualClock(loop: loop))
                let client = RemoteClient(dialect.make(server.url), transport: transport, connectTimeout: .seconds(10))
                var failure: ProviderFailure?
                let task = loop.spawn {
                    do throws(ProviderFailure) {
                        _ = try await client.stream(providerRequest("x"), into: sink)
                    } catch {
                        failure = error
                    }
                }
                try await eventually("the request", on: loop) {
                    isThere && sink.texts.isEmpty == !body.contains("data")
                }
                task.cancel()
                try await eventually("the end", on: loop) { server.connections[0].isClosed && failure == .cancelled }
            }
        }
    }
}

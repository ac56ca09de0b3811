import Glibc
import TestSupport
import Testing

@Suite("lemma ask", .tags(.system))
struct AskTests {
    private typealias Stream = ScriptedServer.Stream

    private static let completed = """
        event: completed
        id: 1-9
        data: {"finishReason":"stop","provider":"mock","model":"m","usage":{"outputTokens":2},"attempts":1}


        """

    private static func event(_ type: String, _ id: String?, _ data: String) -> String {
        "event: \(type)\n" + (id.map { "id: \($0)\n" } ?? "") + "data: \(data)\n\n"
    }

    private static func token(_ id: String, _ text: String) -> String { event("token", id, #"{"text":"\#(text)"}"#) }

    /// Runs `lemma ask` against the streams.
    private static func ask(
        _ streams: [Stream],
        _ arguments: [String] = ["2x + 3 = 7"],
        input: String = "",
        filter: String? = nil,
        output: String = "out"
    ) async throws -> (LemmaProgram.Outcome, ScriptedServer) {
        let box = Box<(LemmaProgram.Outcome, ScriptedServer)>()
        var state = ScriptedServer.State()
        state.streams = streams
        try await ScriptedServer.serve(state) { server, port in
            let program = try LemmaProgram(environment: ["HTTP_PORT": "\(port)"])
            let command = ["ask"] + arguments
            box.value = (try await program.run(command, input: input, filter: filter, output: output), server)
        }
        return try #require(box.value)
    }

    @Test("The answer goes to standard output as it is, waiting to standard error, the problem to the server")
    func happy() async throws {
        let text =
            Self.event("queued", "0-1", #"{"position":4}"#) + Self.event("queued", nil, #"{"position":1}"#)
            + Self.event("started", "1-0", #"{"attempt":1,"provider":"mock","model":"m"}"#)
            + Self.event("reasoning", "1-1", #"{"text":"hm"}"#) + ": heartbeat\n"
            + Self.token("1-2", #"x = \"2\" "#) + Self.event("novelty", nil, "{}") + Self.token("1-3", "✓")
            + Self.completed
        let (outcome, server) = try await Self.ask([Stream(text: text)], ["2x + \"3\" = 7", "--provider", "mock"])
        #expect(outcome.status == 0)
        #expect(outcome.output == "x = \"2\" ✓\n")
        #expect(outcome.errors == "waiting, 3 ahead of you\nwaiting, you are next\nthinking\n")
        #expect(server.bodies == [#"{"problem":"2x + \"3\" = 7","provider":"mock"}"#])
        #expect(
            server.requests == ["POST /api/math/solve", "GET /api/math/stream/\(ScriptedServer.id)?ticket=t1"]
        )
    }

    @Test("A dash reads the problem from standard input; a conversation is passed on")
    func input() async throws {
        let (outcome, server) = try await Self.ask(
            [Stream(text: Self.completed)],
            ["--conversation", ScriptedServer.id.uppercased(), "-"],
            input: "-x = 1\n",
        )
        #expect(outcome.status == 0)
        #expect(outcome.output.isEmpty)
        #expect(server.bodies == [#"{"problem":"-x = 1\n","conversationId":"\#(ScriptedServer.id)"}"#])
    }

    @Test("A lost connection is taken up again from the last id, after an end, a cut and a refusal alike")
    func reconnect() async throws {
        let (outcome, server) = try await Self.ask([
            Stream(text: Self.event("queued", "0-1", #"{"position":1}"#), ending: .end),
            Stream(text: Self.token("1-1", "a ") + "event: token\nid: 1-2\ndata: {\"te", ending: .cut),
            Stream(status: 503),
            Stream(text: Self.token("1-2", "b ") + Self.token("1-3", "c") + Self.completed),
        ])
        #expect(outcome.status == 0)
        #expect(outcome.output == "a b c\n")
        #expect(server.lastEventIDs == ["", "0-1", "1-1", "1-1"])
        #expect(outcome.errors.matches(of: /connection lost, trying again/).count == 3)
    }

    @Test("A restart and a reset say so, and the text begins on a line of its own", arguments: ["restarted", "reset"])
    func restart(kind: String) async throws {
        let data = #"{"attempt":2,"reason":"worker_lost"}"#
        let text =
            Self.token("1-1", "wrong") + Self.event(kind, kind == "reset" ? nil : "2-0", data)
            + Self.token("2-1", "right") + Self.completed
        let (outcome, _) = try await Self.ask([Stream(text: text)])
        #expect(outcome.status == 0)
        #expect(outcome.output == "wrong\nright\n")
        #expect(outcome.errors.contains("; the text begins anew\n"))
        #expect(outcome.errors.contains(kind == "reset" ? "lost the stream's history" : "the worker was lost"))
    }

    @Test("A request that failed or was cancelled exits 1 with the reason in words")
    func failed() async throws {
        let problem = #"{"title":"The AI provider failed","detail":"It said no.","status":502,"attempts":3}"#
        let (failed, _) = try await Self.ask([
            Stream(text: Self.token("1-1", "a") + Self.event("failed", "1-2", problem))
        ])
        #expect(failed.status == 1)
        #expect(failed.output == "a\n")
        #expect(failed.errors == "lemma: The AI provider failed: It said no.\n")
        let (cancelled, _) = try await Self.ask([
            Stream(text: Self.event("cancelled", "1-2", #"{"reason":"requested"}"#))
        ])
        #expect(cancelled.status == 1)
        #expect(cancelled.errors == "lemma: cancelled, as requested\n")
    }

    @Test("Problem documents are printed as text: at the submission and at the stream")
    func problems() async throws {
        var state = ScriptedServer.State()
        state.submission = (
            422,
            #"{"title":"Not valid","detail":"See errors.","errors":[{"field":"problem","message":"too\u001b[2J long"}]}"#
        )
        try await ScriptedServer.serve(state) { server, port in
            let outcome = try await LemmaProgram().run(["ask", "x", "--url", "http://127.0.0.1:\(port)/"])
            #expect(outcome.status == 1)
            #expect(outcome.errors == "lemma: Not valid: See errors.\n  problem: too?[2J long\n")
            #expect(server.requests == ["POST /api/math/solve"])
        }
        let (gone, _) = try await Self.ask([Stream(status: 410, text: #"{"title":"The answer's stream has expired"}"#)])
        #expect(gone.status == 1)
        #expect(gone.errors == "lemma: The answer's stream has expired\n")
        let port = try LoopbackSocket.freePort()
        let nobody = try await LemmaProgram(environment: ["HTTP_PORT": "\(port)"]).run(["ask", "x"])
        #expect(nobody.status == 1)
        #expect(nobody.errors.contains("http://127.0.0.1:\(port): the server could not be reached"))
    }

    @Test("With --json the events come as lines of JSON")
    func json() async throws {
        let queued = "event: queued\nid: 0-1\ndata: {\"position\":\ndata: 2}\n\n"
        let text = queued + Self.token("1-1", "a") + Self.completed
        let (outcome, _) = try await Self.ask([Stream(text: text)], ["x", "--json"])
        #expect(outcome.status == 0)
        #expect(outcome.errors.isEmpty)
        let lines = outcome.output.split(separator: "\n")
        #expect(lines.count == 3)
        #expect(lines.first == #"{"event":"queued","id":"0-1","data":{"position": 2}}"#)
        #expect(lines.dropFirst().first == #"{"event":"token","id":"1-1","data":{"text":"a"}}"#)
    }

    @Test("Ctrl-C aborts the request on the server, with the ticket or else without it", arguments: [true, false])
    func interrupt(takesTicket: Bool) async throws {
        var state = ScriptedServer.State()
        state.streams = [Stream(text: Self.token("1-1", "part"), ending: .silence)]
        state.deleteTakesTicket = takesTicket
        try await ScriptedServer.serve(state) { server, port in
            let run = try LemmaProgram(environment: ["HTTP_PORT": "\(port)"]).start(["ask", "x"])
            #expect(try await eventually(within: .seconds(10)) { run.output == "part" })
            run.interrupt()
            let outcome = try await run.end()
            #expect(outcome.status == 130)
            #expect(outcome.output == "part\n")
            #expect(outcome.errors == "aborted\n")
            let path = "DELETE /api/math/requests/\(ScriptedServer.id)"
            #expect(
                server.requests.dropFirst(2) == (takesTicket ? ["\(path)?ticket=t1"] : ["\(path)?ticket=t1", path])
            )
        }
    }

    @Test("A second Ctrl-C exits at once, also while the server does not answer the abort")
    func secondInterrupt() async throws {
        var state = ScriptedServer.State()
        state.streams = [Stream(text: Self.token("1-1", "part"), ending: .silence)]
        state.deleteHangs = true
        try await ScriptedServer.serve(state) { server, port in
            let run = try LemmaProgram(environment: ["HTTP_PORT": "\(port)"]).start(["ask", "x"])
            #expect(try await eventually(within: .seconds(10)) { run.output == "part" })
            run.interrupt()
            #expect(try await eventually(within: .seconds(10)) { server.requests.count == 3 })
            run.interrupt()
            let outcome = try await run.end()
            #expect(outcome.status == 130)
            #expect(outcome.errors.isEmpty, "at its own limit the abort would have been reported as failed")
        }
    }

    @Test("A proxy of the environment is used for a server elsewhere, never for this machine")
    func proxy() async throws {
        var state = ScriptedServer.State()
        state.streams = [Stream(text: Self.completed), Stream(text: Self.completed)]
        try await ScriptedServer.serve(state) { server, port in
            let proxied = try LemmaProgram(environment: ["http_proxy": "http://127.0.0.1:\(port)"])
            #expect(try await proxied.run(["ask", "x", "--url", "http://lemma.invalid"]).status == 0)
            #expect(server.requests.first == "POST http://lemma.invalid/api/math/solve")
            let deadPort = try LoopbackSocket.freePort()
            let direct = try LemmaProgram(environment: ["http_proxy": "http://127.0.0.1:\(deadPort)"])
            #expect(try await direct.run(["ask", "x", "--url", "http://127.0.0.1:\(port)"]).status == 0)
        }
    }

    @Test("A reader of the output that goes away ends the program without a word")
    func brokenPipe() async throws {
        let many = (1...2000).map { Self.token("1-\($0)", "0123456789") }.joined()
        let (outcome, server) = try await Self.ask([Stream(text: many, ending: .silence)], filter: "head -c 5")
        #expect(outcome.status == 141)
        #expect(outcome.output == "01234")
        #expect(outcome.errors.isEmpty)
        #expect(
            server.requests.last == "DELETE /api/math/requests/\(ScriptedServer.id)?ticket=t1",
            "it is aborted, too"
        )
    }

    @Test("A full disk aborts the request and is reported with the system's reason")
    func fullDisk() async throws {
        let stream = Stream(text: Self.token("1-1", "part"), ending: .silence)
        let (outcome, server) = try await Self.ask([stream], output: "/dev/full")
        #expect(outcome.status == 1)
        #expect(outcome.errors == "lemma: the output cannot be written: No space left on device\n")
        #expect(server.requests.last == "DELETE /api/math/requests/\(ScriptedServer.id)?ticket=t1")
    }

    @Test(
        "SIGTERM, SIGHUP and SIGQUIT abort as Ctrl-C does",
        arguments: [(SIGTERM, Int32(143)), (SIGHUP, Int32(129)), (SIGQUIT, Int32(131))],
    )
    func signals(number: Int32, status: Int32) async throws {
        var state = ScriptedServer.State()
        state.streams = [Stream(text: Self.token("1-1", "part"), ending: .silence)]
        try await ScriptedServer.serve(state) { server, port in
            let run = try LemmaProgram(environment: ["HTTP_PORT": "\(port)"]).start(["ask", "x"])
            #expect(try await eventually(within: .seconds(10)) { run.output == "part" })
            run.signal(number)
            let outcome = try await run.end()
            #expect(outcome.status == status)
            #expect(outcome.errors == "aborted\n")
            #expect(server.requests.last == "DELETE /api/math/requests/\(ScriptedServer.id)?ticket=t1")
        }
    }

    @Test(
        "With --json an aborted request's last line is its terminal event, also where the server does not send it",
        arguments: [true, false]
    )
    func interruptJSON(sendsEnd: Bool) async throws {
        let end = Self.event("cancelled", "1-2", #"{"reason":"requested","attempts":1}"#)
        var state = ScriptedServer.State()
        state.streams = [Stream(text: Self.token("1-1", "part"), ending: .silence)]
        if sendsEnd { state.streams.append(Stream(text: end)) }
        try await ScriptedServer.serve(state) { server, port in
            let run = try LemmaProgram(environment: ["HTTP_PORT": "\(port)"]).start(["ask", "x", "--json"])
            #expect(try await eventually(within: .seconds(10)) { run.output.contains("part") })
            run.interrupt()
            let outcome = try await run.end()
            #expect(outcome.status == 130)
            let expected =
                sendsEnd
                ? #"{"event":"cancelled","id":"1-2","data":{"reason":"requested","attempts":1}}"#
                : #"{"event":"cancelled","data":{"reason":"requested"}}"#
            #expect(outcome.output.split(separator: "\n").last.map(String.init) == expected)
            #expect(server.lastEventIDs == ["", "1-1"])
        }
    }

    @Test("With --json a failure that is no event is the last line, too: the server's problem document, or our words")
    func failedJSON() async throws {
        var state = ScriptedServer.State()
        state.submission = (422, #"{"title":"Not valid","type":"/problems/validation"}"#)
        try await ScriptedServer.serve(state) { _, port in
            let outcome = try await LemmaProgram(environment: ["HTTP_PORT": "\(port)"]).run(["ask", "x", "--json"])
            #expect(outcome.status == 1)
            let line = #"{"event":"failed","data":{"title":"Not valid","type":"/problems/validation"}}"#
            #expect(outcome.output == line + "\n")
            #expect(outcome.errors == "lemma: Not valid\n")
        }
        let (gone, _) = try await Self.ask([Stream(status: 204)], ["x", "--json"])
        #expect(gone.status == 1)
        #expect(
            gone.output.hasPrefix(
                #"{"event":"failed","data":{"title":"There is no answer","detail":"the stream is over"#
            )
        )
        let port = try LoopbackSocket.freePort()
        let nobody = try await LemmaProgram(environment: ["HTTP_PORT": "\(port)"]).run(["ask", "x", "--json"])
        #expect(nobody.status == 1)
        #expect(nobody.output.contains(#"{"event":"failed""#) && nobody.output.contains("could not be reached"))
    }
}

/// Carries a result out of a closure that is called once.
///
/// Safety: written before the call returns and read after it.
private final class Box<Value>: @unchecked Sendable {
    var value: Value?
}

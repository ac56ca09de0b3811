internal import Console
internal import EventLoop
internal import FoundationEssentials
internal import HTTPClient
internal import LemmaSettings
internal import Lifecycle
internal import Settings
internal import Shared

/// `lemma ask`: the terminal client.
enum AskCommand {
    private static let inputBytesMax = 64 * 1024

    static let command = Command(
        CommandSpecification(
            "ask",
            summary: "submit a problem and stream the answer live; Ctrl-C aborts it on the server",
            operands: ["PROBLEM"],
            options: [
                CommandOption("url", value: "URL", "the server (default: http://127.0.0.1:{HTTP_PORT})"),
                CommandOption("conversation", value: "ID", "go on with this conversation, with what was said in it"),
                CommandOption("provider", value: "NAME", "ask this provider"),
                CommandOption(flag: "json", "print the events as JSON, one a line; the last says how it ended"),
            ],
            details: """
                A PROBLEM of "-" is read from standard input. The answer goes to standard output, notes go to standard error.
                SIGTERM, SIGHUP, SIGQUIT and a closed pipe abort as Ctrl-C does. A second Ctrl-C exits at once.
                A server that wants accounts is asked with the API key in LEMMA_API_KEY, else as the user of lemma login.
                """,
            operandsMayBeginWithDash: true,
        )
    ) { arguments in
        let configuration = try loadConfiguration(.client).configuration
        let server =
            try arguments["url"].map(ServerURL.init(argument:)) ?? ServerURL(localPort: configuration.http.port)
        let submission = SubmissionBody(
            problem: try problem(arguments.operands[0]),
            conversation: try arguments["conversation"].map(conversation),
            provider: arguments["provider"],
        )
        return try await ask(submission, server, configuration.client.apiKey, asJSON: arguments.has("json"))
    }

    private static func conversation(_ text: String) throws(UsageError) -> String {
        guard let id = ConversationID(text) else {
            let allowed = "the id of a conversation, a UUID such as 01999999-0000-7000-8000-000000000001"
            throw .notAllowed(name: "--conversation", value: text, allowed: allowed)
        }
        return id.description
    }

    private static func problem(_ operand: String) throws -> String {
        let text = operand == "-" ? try input() : operand
        guard text.contains(where: { !$0.isWhitespace }) else {
            throw UsageError.notAllowed(name: "PROBLEM", value: "", allowed: "a text that is not empty")
        }
        return text
    }

    private static func input() throws -> String {
        let data = try Input.readAll(bytesMax: inputBytesMax)
        guard let text = String(validating: data, as: UTF8.self) else {
            throw CommandFailure("standard input is not UTF-8")
        }
        return text
    }

    private static func ask(
        _ submission: SubmissionBody,
        _ server: ServerURL,
        _ key: Secret?,
        asJSON: Bool
    ) async throws -> ExitCode {
        let environment = ProcessSources.environment()
        let file = CredentialsFile(environment: environment)
        let notes = Notes(environment: environment)
        let interruption = Interruption()
        let watcher = interruption.watch()
        defer { watcher.cancel() }
        return try await withLoop { loop in
            let transport = HTTPTransport(on: loop)
            defer { transport.close() }
            let printer = AnswerPrinter(asJSON: asJSON, notes: notes)
            let account = AccountClient(server: server, transport: transport)
            let credentials = ClientCredentials(key: key, file: file, client: account)
            let client = AskClient(credentials: credentials, printer: printer, notes: notes)
            do {
                // Not interrupted by a signal: without the response the request to abort is unknown.
                let accepted = try await client.submit(submission)
                let code = try await follow(accepted, client, interruption, on: loop)
                if !asJSON, code == .success || code == .failure { notes.tellHow(toContinue: accepted.conversationId) }
                return code
            } catch let failure as AskFailure {
                try client.showFailure(failure)
                throw CommandFailure(failure.words)
            }
        }
    }

    /// Follows the answer to its end, or aborts the request at a signal and where the output can no longer be written.
    private static func follow(
        _ accepted: Reply.Accepted,
        _ client: AskClient,
        _ interruption: Interruption,
        on loop: Loop
    ) async throws -> ExitCode {
        let outcome = OneShot<Result<ExitCode, any Error>>(loop: loop)
        let task = loop.spawn {
            do {
                outcome.succeed(.success(try await client.follow(accepted)))
            } catch {
                outcome.succeed(.failure(error))
            }
        }
        interruption.onRaise { task.cancel() }
        do {
            return try await outcome.value().get()
        } catch is CancellationError {
            let wasAborted = await client.abort(accepted)
            try await client.showEnd(ofAborted: accepted, wasAborted)
            return interruption.exitCode
        } catch let error as OutputError {
            await client.abort(accepted, quietly: true)
            throw error
        }
    }
}

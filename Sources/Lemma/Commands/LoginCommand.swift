internal import Console
internal import EventLoop
internal import FoundationEssentials
internal import HTTPClient
internal import LemmaSettings
internal import Settings

/// `lemma login`: signs the terminal client in at a server.
enum LoginCommand {
    private static let passwordBytesMax = 1024

    static let command = Command(
        CommandSpecification(
            "login",
            summary: "sign the terminal client in at a server",
            options: [
                CommandOption("url", value: "URL", "the server (default: http://127.0.0.1:{HTTP_PORT})"),
                CommandOption("email", value: "EMAIL", "the account's e-mail address (a terminal is asked for it)"),
            ],
            details: """
                The password is asked for on a terminal, without showing it, or else read from standard input.
                The tokens are kept in $XDG_CONFIG_HOME/lemma/credentials.json, which only you can read; a login there
                replaces the one before. An API key in LEMMA_API_KEY needs no login, and takes precedence over one.
                """,
        )
    ) { arguments in
        let configuration = try loadConfiguration(.client).configuration
        let server =
            try arguments["url"].map(ServerURL.init(argument:)) ?? ServerURL(localPort: configuration.http.port)
        let file = try credentialsFile()
        let notes = Notes(environment: ProcessSources.environment())
        if !server.isSecure { notes.complain("\(server.origin) is not https: the password is sent unencrypted") }
        let email = try arguments["email"] ?? askForEmail()
        let password = try readPassword(of: email, at: server)
        try await withLoop { loop in
            let transport = HTTPTransport(on: loop)
            defer { transport.close() }
            let client = AccountClient(server: server, transport: transport)
            do throws(AskFailure) {
                let tokens = try await client.signIn(email: email, password: password)
                let login = StoredLogin(email: email, tokens, at: Date())
                try await replaceLogin(by: login, client, file)
            } catch {
                throw CommandFailure(error.words)
            }
        }
        try Output.standard.write("signed in at \(server.origin) as \(printable(email))\n")
        return .success
    }

    /// Stores the login, then ends the session of the one before.
    private static func replaceLogin(
        by login: StoredLogin,
        _ client: AccountClient,
        _ file: CredentialsFile
    ) async throws(AskFailure) {
        let former: StoredLogin?
        do {
            former = try await file.whileLocked(on: client.transport.loop) {
                // What is damaged is said, not replaced: it may have logins of other servers.
                let former = try file.login(at: client.server)
                try file.set(login, at: client.server)
                return former
            }
        } catch {
            // Without its tokens the session could not be ended later.
            try? await client.signOut(login.refreshToken)
            throw AskFailure("\(error)")
        }
        if let former { try? await client.signOut(former.refreshToken) }
    }

    static func credentialsFile() throws(CommandFailure) -> CredentialsFile {
        if let file = CredentialsFile(environment: ProcessSources.environment()) { return file }
        throw CommandFailure("there is no place for the tokens: neither HOME nor XDG_CONFIG_HOME is set")
    }

    /// Where standard input is no terminal, all of it is the password.
    private static func askForEmail() throws(UsageError) -> String {
        guard Input.isTerminal else { throw .missingOperand("--email EMAIL") }
        Output.error.note("E-mail address: ")
        return readLine() ?? ""
    }

    private static func readPassword(of email: String, at server: ServerURL) throws -> String {
        let line: [UInt8]
        do throws(InputError) {
            let prompt = "Password of \(printable(email)) at \(server.origin): "
            line = try Input.readSecret(prompt: prompt, bytesMax: passwordBytesMax)
        } catch .interrupted {
            throw ExitCode.interrupted
        } catch {
            throw CommandFailure("\(error)")
        }
        guard let password = String(validating: line, as: UTF8.self) else {
            throw CommandFailure("the password on standard input is not UTF-8")
        }
        return password
    }
}

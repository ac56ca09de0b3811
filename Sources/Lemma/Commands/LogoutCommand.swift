internal import Console
internal import EventLoop
internal import HTTPClient
internal import LemmaSettings
internal import Settings

/// `lemma logout`: ends the terminal client's login at a server.
enum LogoutCommand {
    static let command = Command(
        CommandSpecification(
            "logout",
            summary: "end the terminal client's login at a server",
            options: [CommandOption("url", value: "URL", "the server (default: http://127.0.0.1:{HTTP_PORT})")],
            details: "Removes the tokens from this machine, also where the server cannot be reached; exit 1 says so.",
        )
    ) { arguments in
        let configuration = try loadConfiguration(.client).configuration
        let server =
            try arguments["url"].map(ServerURL.init(argument:)) ?? ServerURL(localPort: configuration.http.port)
        let file = try LoginCommand.credentialsFile()
        let login = try await withLoop { loop in
            try await file.whileLocked(on: loop) {
                let login = try file.login(at: server)
                if login != nil { try file.set(nil, at: server) }
                return login
            }
        }
        guard let login else {
            try Output.standard.write("not signed in at \(server.origin)\n")
            return .success
        }
        try await end(login, at: server)
        try Output.standard.write("signed out at \(server.origin)\n")
        return .success
    }

    private static func end(_ login: StoredLogin, at server: ServerURL) async throws {
        try await withLoop { loop in
            let transport = HTTPTransport(on: loop)
            defer { transport.close() }
            let client = AccountClient(server: server, transport: transport)
            do throws(AskFailure) {
                try await client.signOut(login.refreshToken)
            } catch {
                // With 401 it had ended before.
                guard error.status != 401 else { return }
                throw CommandFailure("the tokens are removed here, but the server was not told: \(error.words)")
            }
        }
    }
}

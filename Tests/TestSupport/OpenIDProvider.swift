internal import FoundationEssentials
internal import Glibc

/// An OpenID provider that was not written here: `oidc-provider-mock` from PyPI, in a process of its own.
///
/// Every start makes a new key. Safe from any thread, one at a time; calls block.
package struct OpenIDProvider {
    private static let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    private static let environment = "\(root)/.build/issuers"

    package let port: Int
    private let process: ChildProcess
    private let log: TemporaryDirectory

    /// Starts it, at the port of an earlier one or at a free one, and waits until it answers.
    package static func start(port: Int? = nil) throws -> OpenIDProvider {
        try ChildProcess.run(["\(root)/scripts/setup-python", "\(root)/Tests/Issuers/requirements.txt", environment])
        let port = try port ?? LoopbackSocket.freePort()
        let log = try TemporaryDirectory()
        let process = try ChildProcess.start(
            ["\(environment)/bin/oidc-provider-mock", "--host", "127.0.0.1", "--port", "\(port)"],
            outputPath: "\(log.path)/log",
        )
        let provider = OpenIDProvider(port: port, process: process, log: log)
        let limit = ContinuousClock.now + .seconds(30)
        while (try? HTTPCall.send("GET", port: port, "/jwks").status) != 200 {
            guard ContinuousClock.now < limit, process.endStatus == nil else {
                provider.stop()
                throw ChildProcessError(description: "no OpenID provider: \(textOfFile("\(log.path)/log"))")
            }
            usleep(20_000)
        }
        return provider
    }

    /// `iss` of its tokens.
    package var issuer: String { "http://localhost:\(port)" }

    package func stop() {
        process.signal(SIGCONT)
        process.signal(SIGKILL)
        process.wait()
    }

    /// From now on it takes connections, but answers nothing.
    package func suspend() { process.signal(SIGSTOP) }

    package func resume() { process.signal(SIGCONT) }

    /// Signs a user in by the authorization code flow (OpenID Connect Core 1.0, section 3.1) and returns the ID token, which is
    /// for `client`.
    package func token(of user: String, for client: String) throws -> String {
        let callback = "http%3A%2F%2Flocalhost%2Fcallback"
        let query = "response_type=code&client_id=\(client)&redirect_uri=\(callback)&scope=openid"
        let consent = try post("/oauth2/authorize?\(query)", "sub=\(user)")
        guard let code = consent["location"]?.split(separator: "code=").last?.prefix(while: { $0 != "&" }) else {
            throw ChildProcessError(description: "no code: \(consent)")
        }
        let exchange = "grant_type=authorization_code&code=\(code)&redirect_uri=\(callback)"
        let answer = try post("/oauth2/token", "\(exchange)&client_id=\(client)&client_secret=secret")
        struct Tokens: Decodable {
            let token: String

            enum CodingKeys: String, CodingKey {
                case token = "id_token"
            }
        }
        return try JSONDecoder().decode(Tokens.self, from: Data(answer.body.utf8)).token
    }

    private func post(_ path: String, _ form: String) throws -> RawResponse {
        let client = try RawClient(port: port)
        defer { client.close() }
        let lines = [
            "POST \(path) HTTP/1.1", "Host: localhost:\(port)", "Content-Type: application/x-www-form-urlencoded",
            "Content-Length: \(form.utf8.count)", "Connection: close",
        ]
        client.send(lines.joined(separator: "\r\n") + "\r\n\r\n" + form)
        return try client.readResponse()
    }
}

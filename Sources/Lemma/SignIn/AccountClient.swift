internal import EventLoop
internal import FoundationEssentials
internal import HTTPClient
internal import Shared

/// The account routes of one server, as far as the terminal client uses them (contract, section 7).
///
/// Loop-owned.
struct AccountClient {
    private static let limit = Duration.seconds(30)
    /// Short enough for a second attempt within the 10 s for which a server gives the answer again.
    private static let refreshLimit = Duration.seconds(4)

    let server: ServerURL
    let transport: HTTPTransport

    func signIn(email: String, password: String) async throws(AskFailure) -> Reply.Tokens {
        let body = JSONWriter.object { writer in
            writer.member("email", email)
            writer.member("password", password)
        }
        return try tokens(in: try await send("login", body, within: Self.limit))
    }

    /// Exchanges a refresh token, which is spent then, for new tokens.
    ///
    /// Repeats a request whose answer was lost.
    func refresh(_ refreshToken: String) async throws(AskFailure) -> Reply.Tokens {
        let body = Self.body(refreshToken)
        do throws(AskFailure) {
            return try tokens(in: try await send("refresh", body, within: Self.refreshLimit))
        } catch {
            guard error.status == nil else { throw error }
            return try tokens(in: try await send("refresh", body, within: Self.refreshLimit))
        }
    }

    /// Ends the session of a refresh token.
    func signOut(_ refreshToken: String) async throws(AskFailure) {
        _ = try await send("logout", Self.body(refreshToken), within: Self.limit)
    }

    private static func body(_ refreshToken: String) -> [UInt8] {
        JSONWriter.object { $0.member("refreshToken", refreshToken) }
    }

    private func tokens(in body: [UInt8]) throws(AskFailure) -> Reply.Tokens {
        if let tokens = Reply.decode(Reply.Tokens.self, body) { return tokens }
        throw AskFailure("\(server.origin): the server's answer cannot be read")
    }

    private func send(_ action: String, _ body: [UInt8], within limit: Duration) async throws(AskFailure) -> [UInt8] {
        var request = HTTPClientRequest("POST", "\(server.origin)/api/auth/\(action)", body: body)
        request.headers = [
            ("Accept", "application/json, application/problem+json"), ("Content-Type", "application/json"),
        ]
        request.timeouts.total = limit
        if server.isLocal { request.proxy = .none }
        let (response, answer) = try await server.collect(request, transport)
        guard (200..<300).contains(response.status) else { throw AskFailure(response, answer) }
        return answer
    }
}

extension ServerURL {
    /// Sends a request to this server; a transport error becomes words that name it.
    func collect(
        _ request: HTTPClientRequest,
        _ transport: HTTPTransport
    ) async throws(AskFailure) -> (response: HTTPClientResponse, body: [UInt8]) {
        do throws(HTTPClientError) {
            return try await transport.collect(request)
        } catch {
            throw AskFailure("\(origin): \(error)")
        }
    }
}

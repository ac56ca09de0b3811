internal import FoundationEssentials
internal import HTTPClient
internal import Settings

/// The credentials that `lemma ask` sends to one server: the API key in `LEMMA_API_KEY`, else the tokens of `lemma login`,
/// else none.
///
/// Tokens are renewed before they end, and once when the server rejects them. Processes take turns at that, because a
/// refresh token can be used once: what another one has renewed meanwhile is used as it is. Loop-owned.
struct ClientCredentials {
    /// The answers to a refresh token that will never be accepted again.
    private static let refusals = [400, 401, 403, 404, 422]

    let key: Secret?
    let file: CredentialsFile?
    let client: AccountClient

    /// The value of `Authorization`; nil without credentials.
    func authorization() async throws -> String? {
        if let key { return "Bearer \(key.reveal())" }
        guard let login = try file?.login(at: client.server) else { return nil }
        if login.isFresh(at: Date()) { return "Bearer \(login.accessToken)" }
        return try await renewed(after: nil)
    }

    /// Another value after the server rejected `authorization` with 401; nil where there is none.
    func authorization(after rejected: String?) async throws -> String? {
        guard key == nil, let rejected, try file?.login(at: client.server) != nil else { return nil }
        return try await renewed(after: rejected)
    }

    private func renewed(after rejected: String?) async throws -> String {
        guard let file else { throw ended }
        return try await file.whileLocked(on: client.transport.loop) {
            guard let login = try file.login(at: client.server) else { throw ended }
            let authorization = "Bearer \(login.accessToken)"
            if authorization != rejected, login.isFresh(at: Date()) { return authorization }
            do throws(AskFailure) {
                let tokens = try await client.refresh(login.refreshToken)
                let new = StoredLogin(email: login.email, tokens, at: Date())
                try store(new, in: file)
                return "Bearer \(new.accessToken)"
            } catch {
                guard let status = error.status, Self.refusals.contains(status) else { throw error }
                try store(nil, in: file)
                throw ended
            }
        }
    }

    private func store(_ login: StoredLogin?, in file: CredentialsFile) throws(AskFailure) {
        do throws(CommandFailure) {
            try file.set(login, at: client.server)
        } catch {
            throw AskFailure(error.description)
        }
    }

    private var ended: AskFailure {
        AskFailure("the login at \(client.server.origin) has ended; sign in again: \(command)")
    }

    private var command: String { "\(Program.name) login --url \(client.server.origin)" }

    /// What to do about a rejection, to follow the server's words; nil where those say enough.
    func advice(_ status: Int?) -> String? {
        switch (status, key) {
        case (401, nil): "sign in: \(command), or set LEMMA_API_KEY"
        case (401, _?): "the API key is the one in LEMMA_API_KEY"
        case _: nil
        }
    }
}

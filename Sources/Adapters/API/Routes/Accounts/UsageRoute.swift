internal import Application
internal import Domain
internal import HTTPServer
internal import Shared

/// `GET /api/usage`.
struct UsageRoute {
    let usage: any QueryHandler<ReadUsage>
    /// Reads the roles that an account has at this moment.
    let authenticator: any Authenticator

    func read(_ caller: Caller, _ context: RequestContext) async throws(APIProblem) {
        let parameters = context.request.query
        let user = try await user(parameters["user"], caller)
        do {
            let query = ReadUsage(user: user, from: parameters["from"], to: parameters["to"])
            context.respond(status: 200, json: AccountDocument.json(try await usage.handle(query)))
        } catch {
            switch error {
            case .invalid(let failure): throw .invalid(failure)
            case .unavailable: throw .accountsUnavailable
            }
        }
    }

    /// The caller, or the user that an administrator names.
    private func user(_ name: String?, _ caller: Caller) async throws(APIProblem) -> UserID {
        guard let name else { return caller.user }
        guard case .accessToken = caller.credential, try await authenticator.currentRoles(of: caller).contains(.admin)
        else { throw .adminOnly }
        let id = name.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard name != UserID.anonymous.text else { return .anonymous }
        guard let account = AccountID(id[0]) else {
            let message = "must be the id of an account, with /<end user> for an end user of its keys, or anonymous"
            throw .invalid(ValidationFailure([.init(field: "user", message: message)]))
        }
        return id.count == 2 ? UserID(endUser: String(id[1]), of: account) : UserID(account)
    }
}

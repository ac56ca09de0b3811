internal import Application
internal import Domain
internal import HTTPServer
internal import Instrumentation
internal import Shared
internal import Telemetry

/// `POST /api/auth/login`, `/refresh`, `/logout` and `/logout-all`.
struct SessionRoutes {
    private struct LoginBody: Decodable {
        let email: String?
        let password: String?
    }

    private struct TokenBody: Decodable {
        let refreshToken: String?
    }

    let sessions: SessionServices
    let audit: AuditTrail
    let failures: Counters<AuthenticationFailure>

    func login(_: Caller, _ context: RequestContext) async throws(APIProblem) {
        let body = try context.body(as: LoginBody.self)
        let address = audit.address(of: context)
        do {
            let command = SignIn(email: body.email, password: body.password, address: address)
            let credentials = try await sessions.signIn.handle(command)
            let account = credentials.account.id
            record(.login, .success, of: account, context)
            context.respond(status: 200, json: AccountDocument.json(credentials))
        } catch {
            switch error {
            case .off: throw .noPasswords
            case .invalid(let failure): throw .invalid(failure)
            case .rejected(let rejection, let account):
                failures[.wrongPassword].increment()
                record(.login, .denied, of: account, context, reason: rejection.rawValue)
                throw .unauthenticated("invalid_grant", "The e-mail address or the password is wrong.")
            case .tooManyAttempts(let limit):
                record(.login, .denied, of: nil, context, reason: ProblemKind.rateLimited.rawValue)
                throw .limitReached(limit)
            case .busy: throw .passwordsBusy
            case .unavailable: throw .accountsUnavailable
            }
        }
    }

    func refresh(_: Caller, _ context: RequestContext) async throws(APIProblem) {
        let body = try context.body(as: TokenBody.self)
        do {
            let credentials = try await sessions.refresh.handle(RefreshSession(refreshToken: body.refreshToken))
            context.respond(status: 200, json: AccountDocument.json(credentials))
        } catch {
            switch error {
            case .off: throw .noPasswords
            case .invalid(let failure): throw .invalid(failure)
            case .reused(let account):
                record(.refreshReuse, .denied, of: account, context)
                throw invalidToken()
            case .rejected: throw invalidToken()
            case .unavailable: throw .accountsUnavailable
            }
        }
    }

    func logout(_: Caller, _ context: RequestContext) async throws(APIProblem) {
        let body = try context.body(as: TokenBody.self)
        do {
            let account = try await sessions.signOut.handle(SignOut(refreshToken: body.refreshToken))
            if let account { record(.logout, .success, of: account, context) }
            context.respond(HTTPResponse(status: 204))
        } catch {
            switch error {
            case .invalid(let failure): throw .invalid(failure)
            case .unavailable: throw .accountsUnavailable
            }
        }
    }

    func logoutAll(_ caller: Caller, _ context: RequestContext) async throws(APIProblem) {
        let account = try caller.requireAccount()
        do {
            try await sessions.signOutEverywhere.handle(SignOutEverywhere(account: account))
        } catch {
            throw .accountsUnavailable
        }
        audit.record(.logoutAll, by: caller, context, subject: account.description)
        context.respond(HTTPResponse(status: 204))
    }

    /// The same for an unknown, spent, expired or revoked token.
    private func invalidToken() -> APIProblem {
        failures[.invalidRefreshToken].increment()
        return .unauthenticated("invalid_token", "The refresh token is not valid any more. Sign in again.")
    }

    /// The account proved itself by what the request carries, so that it is the actor of a success alone.
    private func record(
        _ action: AuditEntry.Action,
        _ outcome: AuditEntry.Outcome,
        of account: AccountID?,
        _ context: RequestContext,
        reason: String? = nil
    ) {
        let actor = outcome == .success ? account.map { UserID($0) } : nil
        var entry = AuditEntry(action, outcome, actor: actor, subject: account?.description)
        entry.reason = reason
        audit.record(entry, context)
    }
}

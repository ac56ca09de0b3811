internal import Application
internal import Domain
internal import HTTPServer
internal import Shared

/// `POST /api/auth/register` and `/api/auth/me`.
struct AccountRoutes {
    private struct RegisterBody: Decodable {
        let email: String?
        let password: String?
        let displayName: String?
    }

    private struct ChangeBody: Decodable {
        let displayName: String?
        let currentPassword: String?
        let newPassword: String?
    }

    private struct DeleteBody: Decodable {
        let password: String?
    }

    let accounts: AccountServices
    let audit: AuditTrail

    func register(_ caller: Caller, _ context: RequestContext) async throws(APIProblem) {
        let body = try context.body(as: RegisterBody.self)
        let command = RegisterAccount(
            email: body.email,
            password: body.password,
            displayName: body.displayName,
            isByAdmin: caller.account != nil,
        )
        let actor = caller.account.map { UserID($0) }
        do throws(APIProblem) {
            let account = try await registered(command)
            let subject = account.id.description
            audit.record(AuditEntry(.register, .success, actor: actor ?? UserID(account.id), subject: subject), context)
            context.respond(status: 201, json: AccountDocument.json(account))
        } catch {
            var entry = AuditEntry(.register, .denied, actor: actor)
            entry.reason = error.kind.rawValue
            audit.record(entry, context)
            throw error
        }
    }

    private func registered(_ command: RegisterAccount) async throws(APIProblem) -> Account {
        do {
            return try await accounts.register.handle(command)
        } catch {
            switch error {
            case .off: throw .noPasswords
            case .closed:
                throw APIProblem(.registrationClosed, "Accounts are made by the administrators of this service.")
            case .invalid(let failure): throw .invalid(failure)
            case .emailTaken: throw APIProblem(.emailTaken, "There is an account with this e-mail address. Sign in.")
            case .busy: throw .passwordsBusy
            case .unavailable: throw .accountsUnavailable
            }
        }
    }

    func read(_ caller: Caller, _ context: RequestContext) async throws(APIProblem) {
        let account = try caller.requireAccount()
        do {
            let output = try await accounts.read.handle(ReadAccount(account: account))
            context.respond(status: 200, json: AccountDocument.json(caller.ownView(of: output.account), output))
        } catch {
            switch error {
            case .notFound: throw .accessWithdrawn
            case .unavailable: throw .accountsUnavailable
            }
        }
    }

    func change(_ caller: Caller, _ context: RequestContext) async throws(APIProblem) {
        let account = try caller.requireAccount()
        let body = try context.body(as: ChangeBody.self)
        let session: SessionID? = if case .accessToken(let session) = caller.credential { session } else { nil }
        let command = ChangeAccount(
            account: account,
            session: session,
            displayName: body.displayName,
            currentPassword: body.currentPassword,
            newPassword: body.newPassword,
            address: audit.address(of: context),
        )
        let changesPassword = body.newPassword != nil
        let subject = account.description
        do throws(APIProblem) {
            let changed = try await changed(command)
            if changesPassword { audit.record(.passwordChange, by: caller, context, subject: subject) }
            context.respond(status: 200, json: AccountDocument.json(caller.ownView(of: changed)))
        } catch {
            if changesPassword {
                audit.record(.passwordChange, preventedBy: error, by: caller, context, subject: subject)
            }
            throw error
        }
    }

    private func changed(_ command: ChangeAccount) async throws(APIProblem) -> Account {
        do {
            return try await accounts.change.handle(command)
        } catch {
            switch error {
            case .invalid(let failure): throw .invalid(failure)
            case .wrongPassword: throw .wrongPassword
            case .tooManyAttempts(let limit): throw .limitReached(limit)
            case .busy: throw .passwordsBusy
            case .notFound: throw .accessWithdrawn
            case .unavailable: throw .accountsUnavailable
            }
        }
    }

    /// 202 where the erasure was interrupted: what is left is erased without a further request, which could not be
    /// authenticated any more.
    func delete(_ caller: Caller, _ context: RequestContext) async throws(APIProblem) {
        let account = try caller.requireAccount()
        let password = try context.bodyIfPresent(as: DeleteBody.self)?.password
        let command = DeleteAccount(account: account, password: password, address: audit.address(of: context))
        let progress: AccountRemoval.Progress
        do throws(APIProblem) {
            progress = try await deleted(command)
        } catch {
            audit.record(.accountDelete, preventedBy: error, by: caller, context, subject: account.description)
            throw error
        }
        accounts.withdrawn.withdraw(accounts: [account], keys: [])
        audit.record(.accountDelete, by: caller, context, subject: account.description)
        context.respond(HTTPResponse(status: progress.status))
    }

    private func deleted(_ command: DeleteAccount) async throws(APIProblem) -> AccountRemoval.Progress {
        do {
            return try await accounts.delete.handle(command)
        } catch {
            switch error {
            case .invalid(let failure): throw .invalid(failure)
            case .wrongPassword: throw .wrongPassword
            case .tooManyAttempts(let limit): throw .limitReached(limit)
            case .busy: throw .passwordsBusy
            case .notFound: throw .accessWithdrawn
            case .unavailable: throw .accountsUnavailable
            }
        }
    }
}

extension AccountRemoval.Progress {
    var status: Int {
        switch self {
        case .complete: 204
        case .begun: 202
        }
    }
}

extension Caller {
    /// The caller's account as the caller sees it: the roles of an issuer's user are those of the token.
    fileprivate func ownView(of account: Account) -> Account {
        guard case .issuer = account.origin else { return account }
        var account = account
        account.roles = roles
        return account
    }
}

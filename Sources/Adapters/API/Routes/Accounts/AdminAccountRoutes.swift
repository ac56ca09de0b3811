internal import Application
internal import Domain
internal import HTTPServer
internal import Shared

/// `/api/admin/users` and the paths below it.
struct AdminAccountRoutes {
    private struct Body: Decodable {
        let disabled: Bool?
        let roles: [String]?
    }

    let admin: AdminServices
    let withdrawn: WithdrawnAccess
    let audit: AuditTrail

    func list(_: Caller, _ context: RequestContext) async throws(APIProblem) {
        let parameters = context.request.query
        let page = try PageParameters<AccountID>(parameters)
        let email = parameters["email"].flatMap { $0.isEmpty ? nil : $0 }
        if let email, email.utf8.count > EmailAddress.bytesMax {
            let message = "must have at most \(EmailAddress.bytesMax) bytes"
            throw .invalid(ValidationFailure([.init(field: "email", message: message)]))
        }
        do {
            let query = ListAccounts(email: email, place: page.place, size: page.size)
            context.respond(
                status: 200,
                json: AccountDocument.adminJSON(try await admin.listAccounts.handle(query))
            )
        } catch {
            throw .accountsUnavailable
        }
    }

    func change(_ caller: Caller, _ context: RequestContext) async throws(APIProblem) {
        let id = try context.identifier(AccountID.self)
        let body = try context.body(as: Body.self)
        let command = ChangeAccountAsAdmin(
            admin: try caller.requireAccount(),
            account: id,
            isDisabled: body.disabled,
            roles: body.roles,
        )
        do throws(APIProblem) {
            let output = try await changed(command)
            note(output, by: caller, context)
            context.respond(status: 200, json: AccountDocument.adminJSON(output.changed))
        } catch {
            let action: AuditEntry.Action =
                body.roles != nil ? .roleChange : body.disabled == false ? .accountEnable : .accountDisable
            audit.record(action, preventedBy: error, by: caller, context, subject: id.description)
            throw error
        }
    }

    private func changed(_ command: ChangeAccountAsAdmin) async throws(APIProblem) -> ChangeAccountAsAdmin.Output {
        do {
            return try await admin.changeAccount.handle(command)
        } catch {
            switch error {
            case .invalid(let failure): throw .invalid(failure)
            case .notFound: throw .unknownAccount
            case .unavailable: throw .accountsUnavailable
            }
        }
    }

    private func note(_ output: ChangeAccountAsAdmin.Output, by caller: Caller, _ context: RequestContext) {
        let (former, changed) = (output.former, output.changed)
        let subject = changed.id.description
        if former.isDisabled != changed.isDisabled {
            if changed.isDisabled {
                withdrawn.withdraw(accounts: [changed.id], keys: [])
            } else {
                withdrawn.restore([changed.id])
            }
            let action: AuditEntry.Action = changed.isDisabled ? .accountDisable : .accountEnable
            audit.record(action, by: caller, context, subject: subject)
        }
        if former.roles != changed.roles {
            let roles = changed.roles.sorted().map(\.rawValue).joined(separator: " ")
            audit.record(.roleChange, by: caller, context, subject: subject, reason: roles)
        }
    }

    func delete(_ caller: Caller, _ context: RequestContext) async throws(APIProblem) {
        let id = try context.identifier(AccountID.self)
        let command = DeleteAccountAsAdmin(admin: try caller.requireAccount(), account: id)
        let progress: AccountRemoval.Progress
        do throws(APIProblem) {
            progress = try await deleted(command)
        } catch {
            audit.record(.accountDelete, preventedBy: error, by: caller, context, subject: id.description)
            throw error
        }
        withdrawn.withdraw(accounts: [id], keys: [])
        audit.record(.accountDelete, by: caller, context, subject: id.description)
        context.respond(HTTPResponse(status: progress.status))
    }

    private func deleted(_ command: DeleteAccountAsAdmin) async throws(APIProblem) -> AccountRemoval.Progress {
        do {
            return try await admin.deleteAccount.handle(command)
        } catch {
            switch error {
            case .ownAccount:
                throw APIProblem(.forbidden, "Your own account is deleted at /api/auth/me, with your password.")
            case .notFound: throw .unknownAccount
            case .unavailable: throw .accountsUnavailable
            }
        }
    }
}

internal import Application
internal import Domain
internal import HTTPServer
internal import Shared

/// `/api/conversations` and the paths below it.
struct ConversationRoutes {
    private struct Body: Decodable {
        let title: String?
    }

    let conversations: ConversationServices
    let audit: AuditTrail

    func create(_ caller: Caller, _ context: RequestContext) async throws(APIProblem) {
        // A conversation has no required member, so the body may be absent.
        let title = context.request.body.isEmpty ? nil : try context.body(as: Body.self).title
        do {
            let made = try await conversations.create.handle(CreateConversation(userID: caller.user, title: title))
            let headers: HTTPFields = ["Location": "/api/conversations/\(made.id)"]
            context.respond(status: 201, headers: headers, json: ConversationDocument.json(made))
        } catch {
            switch error {
            case .invalid(let failure): throw .invalid(failure)
            case .unavailable: throw .archiveUnavailable
            }
        }
    }

    func list(_ caller: Caller, _ context: RequestContext) async throws(APIProblem) {
        let page = try PageParameters<ConversationPlace>(context.request.query)
        do {
            let query = ListConversations(userID: caller.user, place: page.place, size: page.size)
            context.respond(status: 200, json: ConversationDocument.json(try await conversations.list.handle(query)))
        } catch {
            throw .archiveUnavailable
        }
    }

    func read(_ caller: Caller, _ context: RequestContext) async throws(APIProblem) {
        let id = try context.identifier(ConversationID.self)
        do {
            let found = try await conversations.read.handle(ReadConversation(id: id, userID: caller.user))
            context.respond(status: 200, json: ConversationDocument.json(found))
        } catch {
            switch error {
            case .notFound: throw .unknownConversation
            case .unavailable: throw .archiveUnavailable
            }
        }
    }

    func rename(_ caller: Caller, _ context: RequestContext) async throws(APIProblem) {
        let id = try context.identifier(ConversationID.self)
        let title = try context.body(as: Body.self).title
        do {
            let command = RenameConversation(id: id, userID: caller.user, title: title)
            context.respond(
                status: 200,
                json: ConversationDocument.json(try await conversations.rename.handle(command))
            )
        } catch {
            switch error {
            case .invalid(let failure): throw .invalid(failure)
            case .notFound: throw .unknownConversation
            case .unavailable: throw .archiveUnavailable
            }
        }
    }

    func delete(_ caller: Caller, _ context: RequestContext) async throws(APIProblem) {
        let id = try context.identifier(ConversationID.self)
        do throws(APIProblem) {
            try await delete(id, of: caller.user)
        } catch {
            audit.record(.conversationDelete, preventedBy: error, by: caller, context, subject: id.description)
            throw error
        }
        audit.record(.conversationDelete, by: caller, context, subject: id.description)
        context.respond(HTTPResponse(status: 204))
    }

    private func delete(_ id: ConversationID, of user: UserID) async throws(APIProblem) {
        do {
            try await conversations.delete.handle(DeleteConversation(id: id, userID: user))
        } catch {
            switch error {
            case .notFound: throw .unknownConversation
            case .unavailable: throw .archiveUnavailable
            }
        }
    }

    func messages(_ caller: Caller, _ context: RequestContext) async throws(APIProblem) {
        let id = try context.identifier(ConversationID.self)
        let page = try PageParameters<MessagePlace>(context.request.query)
        do {
            let query = ListMessages(id: id, userID: caller.user, place: page.place, size: page.size)
            context.respond(
                status: 200,
                json: ConversationDocument.json(try await conversations.messages.handle(query))
            )
        } catch {
            switch error {
            case .notFound: throw .unknownConversation
            case .unavailable: throw .archiveUnavailable
            }
        }
    }
}

extension APIProblem {
    /// The same for an unknown conversation and for another user's, so that ids cannot be probed.
    static var unknownConversation: APIProblem { APIProblem(.notFound, "There is no such conversation.") }

    static var archiveUnavailable: APIProblem {
        storeUnavailable("Conversations cannot be reached right now. Please try again.")
    }
}

internal import Application
internal import Domain
internal import HTTPServer
internal import Shared

/// `/api/conversations` and what is below it.
struct ConversationRoutes {
    private struct Body: Decodable {
        let title: String?
    }

    let services: APIServices

    private var conversations: ConversationServices { services.conversations }

    func create(_ context: RequestContext) async throws(APIProblem) {
        let user = try services.authentication.user(of: context.request)
        // A conversation needs nothing, so neither does the body.
        let title = context.request.body.isEmpty ? nil : try JSONBody.decode(Body.self, from: context.request).title
        do {
            let made = try await conversations.create.handle(CreateConversation(userID: user, title: title))
            let headers: HTTPFields = ["Location": "/api/conversations/\(made.id)"]
            context.respond(status: 201, headers: headers, json: ConversationDocument.json(made))
        } catch {
            switch error {
            case .invalid(let failure): throw .invalid(failure)
            case .unavailable: throw .archiveUnavailable
            }
        }
    }

    func list(_ context: RequestContext) async throws(APIProblem) {
        let user = try services.authentication.user(of: context.request)
        let page = try PageParameters<ConversationPlace>(context.request.query)
        do {
            let query = ListConversations(userID: user, place: page.place, size: page.size)
            context.respond(status: 200, json: ConversationDocument.json(try await conversations.list.handle(query)))
        } catch {
            throw .archiveUnavailable
        }
    }

    func read(_ context: RequestContext) async throws(APIProblem) {
        let id = try context.identifier(ConversationID.self)
        let user = try services.authentication.user(of: context.request)
        do {
            let found = try await conversations.read.handle(ReadConversation(id: id, userID: user))
            context.respond(status: 200, json: ConversationDocument.json(found))
        } catch {
            switch error {
            case .notFound: throw .unknownConversation
            case .unavailable: throw .archiveUnavailable
            }
        }
    }

    func rename(_ context: RequestContext) async throws(APIProblem) {
        let id = try context.identifier(ConversationID.self)
        let user = try services.authentication.user(of: context.request)
        let title = try JSONBody.decode(Body.self, from: context.request).title
        do {
            let command = RenameConversation(id: id, userID: user, title: title)
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

    func delete(_ context: RequestContext) async throws(APIProblem) {
        let id = try context.identifier(ConversationID.self)
        let user = try services.authentication.user(of: context.request)
        do {
            try await conversations.delete.handle(DeleteConversation(id: id, userID: user))
            context.respond(HTTPResponse(status: 204))
        } catch {
            switch error {
            case .notFound: throw .unknownConversation
            case .unavailable: throw .archiveUnavailable
            }
        }
    }

    func messages(_ context: RequestContext) async throws(APIProblem) {
        let id = try context.identifier(ConversationID.self)
        let user = try services.authentication.user(of: context.request)
        let page = try PageParameters<MessagePlace>(context.request.query)
        do {
            let query = ListMessages(id: id, userID: user, place: page.place, size: page.size)
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
    /// The same for a conversation that is another user's, so that ids cannot be probed.
    static var unknownConversation: APIProblem { APIProblem(.notFound, "There is no such conversation.") }

    static var archiveUnavailable: APIProblem {
        storeUnavailable("Conversations cannot be reached right now. Please try again.")
    }
}

package import Domain
package import Shared

/// Lists the messages of a conversation: the newest page first, within a page the newest message last.
///
/// Problems are in order of submission, each directly followed by its answer. New messages do not change older pages.
package struct ListMessages: Query {
    package let id: ConversationID
    package let userID: UserID
    /// The end of the previous page; nil for the newest page.
    package let place: MessagePlace?
    package let size: PageSize

    package init(id: ConversationID, userID: UserID, place: MessagePlace?, size: PageSize) {
        self.id = id
        self.userID = userID
        self.place = place
        self.size = size
    }

    package typealias Output = Page<ConversationMessage, MessagePlace>

    package enum Failure: Error, Equatable {
        case notFound
        case unavailable
    }
}

/// The oldest message that a client has: the next page has the older ones.
package struct MessagePlace: Sendable, Hashable {
    package let request: RequestPlace
    package let role: ConversationMessage.Role

    package init(request: RequestPlace, role: ConversationMessage.Role) {
        self.request = request
        self.role = role
    }
}

package struct ListMessagesHandler: QueryHandler {
    private let conversations: any ConversationRepository
    private let lookup: ConversationLookup
    private let requests: any RequestRepository
    private let memory: any ConversationMemory
    private let catchUp: ArchiveCatchUp

    /// `requests` and `memory` have what is not in `conversations` yet.
    package init(
        conversations: any ConversationRepository,
        lookup: ConversationLookup,
        requests: any RequestRepository,
        memory: any ConversationMemory,
        catchUp: ArchiveCatchUp
    ) {
        self.conversations = conversations
        self.lookup = lookup
        self.requests = requests
        self.memory = memory
        self.catchUp = catchUp
    }

    package func handle(_ query: ListMessages) async throws(ListMessages.Failure) -> ListMessages.Output {
        guard let found = try await caughtUp(query) else { throw .notFound }
        var newestFirst: [(message: ConversationMessage, place: MessagePlace)] = []
        for request in found where newestFirst.count <= query.size.count + 2 {
            for message in await messages(of: request).reversed() {
                newestFirst.append((message, MessagePlace(request: request.place, role: message.role)))
            }
        }
        if let last = query.place {
            // Where the previous page ended between a problem and its answer, the problem follows.
            newestFirst.removeAll {
                $0.place.request == last.request && ($0.place.role, last.role) != (.user, .assistant)
            }
        }
        let items = newestFirst.prefix(query.size.count)
        let next = newestFirst.count > items.count ? items.last?.place : nil
        return Page(items: items.map(\.message).reversed(), next: next)
    }

    /// The requests of the page.
    ///
    /// The newest page waits for an answer whose end the client may have received already.
    private func caughtUp(_ query: ListMessages) async throws(ListMessages.Failure) -> [ArchivedRequest]? {
        var found = try await page(query)
        if found == nil, try await exists(query) { found = try await page(query) }
        guard found != nil, query.place == nil,
            let newest = (try? await memory.turns(of: query.id))?.turns.last?.correlationID
        else {
            return found
        }
        if found?.contains(where: { $0.isFinished(newest) }) == true { return found }
        _ = try await catchUp.wait(for: query.id) { () async throws(ListMessages.Failure) -> Bool? in
            found = try await page(query)
            return found?.contains { $0.isFinished(newest) } == true ? true : nil
        }
        return found
    }

    private func exists(_ query: ListMessages) async throws(ListMessages.Failure) -> Bool {
        do {
            return try await lookup.find(query.id, of: query.userID) != nil
        } catch {
            throw .unavailable
        }
    }

    private func page(_ query: ListMessages) async throws(ListMessages.Failure) -> [ArchivedRequest]? {
        do {
            return try await conversations.requests(
                in: query.id,
                of: query.userID,
                from: query.place?.request,
                // One more for each end: a page may begin within a request, and another request may follow.
                limit: query.size.count + 2,
            )
        } catch {
            throw .unavailable
        }
    }

    /// The problem and its answer; only the problem while there is no answer.
    private func messages(of request: ArchivedRequest) async -> [ConversationMessage] {
        switch request {
        case .finished(let finished, let id): return ConversationMessage.all(of: finished, answerID: id)
        case .open(let request, let createdAt):
            // Without the store's state the request counts as queued, as it was when it was archived.
            let record = try? await requests.find(request.correlationID)
            return [.problem(of: request, record?.status ?? .queued, at: createdAt)]
        }
    }
}

extension ArchivedRequest {
    fileprivate var place: RequestPlace {
        switch self {
        case .open(let request, let createdAt): RequestPlace(createdAt: createdAt, id: request.correlationID)
        case .finished(let finished, _):
            RequestPlace(createdAt: finished.createdAt, id: finished.request.correlationID)
        }
    }

    fileprivate func isFinished(_ id: CorrelationID) -> Bool {
        switch self {
        case .open: false
        case .finished(let finished, _): finished.request.correlationID == id
        }
    }
}

package import Domain
package import Shared

/// Lists the messages of a conversation: the newest page first, in each page the newest last.
///
/// A question stands where it was asked, its answer directly behind it. Pages stay as they are while messages are added.
package struct ListMessages: Query {
    package let id: ConversationID
    package let userID: UserID
    /// Where the page before has stopped; nil for the newest page.
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

/// The last message that a client has: what is older follows.
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
    private let requests: any RequestRepository

    /// `requests` tells of what is not over as far as `conversations` knows.
    package init(conversations: any ConversationRepository, requests: any RequestRepository) {
        self.conversations = conversations
        self.requests = requests
    }

    package func handle(_ query: ListMessages) async throws(ListMessages.Failure) -> ListMessages.Output {
        let found: [ArchivedRequest]?
        do {
            found = try await conversations.requests(
                in: query.id,
                of: query.userID,
                from: query.place?.request,
                // One more for each end: where the page begins with half a request, and whether there is a next page.
                limit: query.size.count + 2,
            )
        } catch {
            throw .unavailable
        }
        guard let found else { throw .notFound }
        var newestFirst: [(message: ConversationMessage, place: MessagePlace)] = []
        for request in found {
            for message in await messages(of: request).reversed() {
                newestFirst.append((message, MessagePlace(request: request.place, role: message.role)))
            }
            if newestFirst.count > query.size.count + 2 { break }
        }
        if let place = query.place {
            // The request that the last page stopped at: its question still follows where only its answer was given.
            newestFirst.removeAll {
                $0.place.request == place.request && !($0.place.role == .user && place.role == .assistant)
            }
        }
        let items = newestFirst.prefix(query.size.count)
        let next = newestFirst.count > items.count ? items.last?.place : nil
        return Page(items: items.map(\.message).reversed(), next: next)
    }

    /// Question and answer; the question alone while there is none.
    private func messages(of request: ArchivedRequest) async -> [ConversationMessage] {
        switch request {
        case .finished(let finished, let id): ConversationMessage.all(of: finished, answerID: id)
        case .open(let request, let createdAt):
            [.question(of: request, await status(of: request), at: createdAt)]
        }
    }

    /// What is known of an open request right now.
    ///
    /// Where the store is away or has forgotten it, it counts as waiting, as it did when it was kept.
    private func status(of request: MathRequest) async -> RequestStatus {
        let record = try? await requests.find(request.correlationID)
        return record?.status ?? .queued
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
}

package import Application
package import Domain
package import Shared

/// Conversations and requests in memory, with the guarantees of the ports; the conformance suite compares it with
/// PostgreSQL.
package final class InMemoryArchive: ConversationRepository, RequestArchive {
    private struct Kept {
        var conversation: Conversation
        var isDeleted = false
    }

    /// Makes every call fail as unavailable.
    package var isAway = false
    /// Accounts that do not exist or whose erasure has begun; every other one exists.
    package var missing: Set<AccountID> = []
    private var conversations: [ConversationID: Kept] = [:]
    private var requests: [CorrelationID: ArchivedRequest] = [:]
    private let identifiers: IdentifierFactory

    package init(identifiers: IdentifierFactory) { self.identifiers = identifiers }

    // MARK: ConversationRepository

    package func create(_ conversation: Conversation) async throws(RepositoryFailure) {
        try beThere()
        conversations[conversation.id] = conversations[conversation.id] ?? Kept(conversation: conversation)
    }

    package func find(_ id: ConversationID, of user: UserID) async throws(RepositoryFailure) -> Conversation? {
        try beThere()
        return conversation(id, of: user)
    }

    package func list(
        of user: UserID,
        after place: ConversationPlace?,
        limit: Int
    ) async throws(RepositoryFailure) -> [Conversation] {
        try beThere()
        let mine = conversations.values.filter { !$0.isDeleted && $0.conversation.userID == user }.map(\.conversation)
        let sorted = mine.sorted { ($0.updatedAt, "\($0.id)") > ($1.updatedAt, "\($1.id)") }
        let following = sorted.filter { conversation in
            place.map { (conversation.updatedAt, "\(conversation.id)") < ($0.updatedAt, "\($0.id)") } ?? true
        }
        return Array(following.prefix(limit))
    }

    package func rename(
        _ id: ConversationID,
        of user: UserID,
        to title: String,
        at time: Timestamp
    ) async throws(RepositoryFailure) -> Conversation? {
        try beThere()
        guard let known = conversation(id, of: user) else { return nil }
        let renamed = Conversation(
            id: id,
            userID: user,
            title: title,
            createdAt: known.createdAt,
            updatedAt: max(known.updatedAt, time),
        )
        conversations[id] = Kept(conversation: renamed)
        return renamed
    }

    package func delete(
        _ id: ConversationID,
        of user: UserID,
        isExpected: Bool,
        at time: Timestamp
    ) async throws(RepositoryFailure) -> Bool {
        try beThere()
        let isUnknown = conversations[id] == nil
        guard conversation(id, of: user) != nil || (isUnknown && isExpected) else { return false }
        let buried = Conversation(id: id, userID: user, title: nil, createdAt: time, updatedAt: time)
        conversations[id] = Kept(conversation: buried, isDeleted: true)
        requests = requests.filter { $0.value.request.conversationID != id }
        return true
    }

    package func requests(
        in id: ConversationID,
        of user: UserID,
        from place: RequestPlace?,
        limit: Int
    ) async throws(RepositoryFailure) -> [ArchivedRequest]? {
        try beThere()
        guard conversation(id, of: user) != nil else { return nil }
        let following = sorted(in: id).filter { request in
            place.map { (request.createdAt, "\(request.id)") <= ($0.createdAt, "\($0.id)") } ?? true
        }
        return Array(following.prefix(limit))
    }

    // MARK: RequestArchive

    @discardableResult
    package func add(_ entries: [ArchiveEntry]) async throws(ArchiveFailure) -> Set<AccountID> {
        if isAway { throw .unavailable }
        let discarded = missing.intersection(entries.compactMap(\.request.userID.account))
        for entry in entries {
            let request = entry.request
            if let account = request.userID.account, discarded.contains(account) { continue }
            let (from, to) = entry.span
            var kept =
                conversations[request.conversationID]
                ?? Kept(
                    conversation: Conversation(
                        id: request.conversationID,
                        userID: request.userID,
                        title: ConversationTitle(of: request.problem).text,
                        createdAt: from,
                        updatedAt: to,
                    )
                )
            guard !kept.isDeleted, kept.conversation.userID == request.userID else { continue }
            kept.conversation = kept.conversation.including(from, to)
            conversations[request.conversationID] = kept
            switch (entry, requests[request.correlationID]) {
            case (_, .finished), (.submitted, .open): break
            case (.submitted(_, let createdAt), nil):
                requests[request.correlationID] = .open(request, createdAt: createdAt)
            case (.finished(let finished), .open), (.finished(let finished), nil):
                requests[request.correlationID] = .finished(finished, identifiers.make())
            }
        }
        return discarded
    }

    package func find(_ id: CorrelationID, of user: UserID) async throws(RepositoryFailure) -> ArchivedRequest? {
        try beThere()
        return requests[id].flatMap { $0.request.userID == user ? $0 : nil }
    }

    package func isDeleted(_ id: CorrelationID, of user: UserID) async throws(RepositoryFailure) -> Bool {
        try beThere()
        return conversations.values.contains { kept in
            kept.isDeleted && kept.conversation.userID == user && kept.conversation.id.bits.lane == id.bits.lane
                && kept.conversation.updatedAt.milliseconds >= id.bits.version7Time.milliseconds - 60_000
        }
    }

    package func recentTurns(
        of conversation: ConversationID,
        limit: Int,
        textMax: Int
    ) async throws(RepositoryFailure) -> [ConversationTurn] {
        try beThere()
        let turns = sorted(in: conversation).compactMap { request -> ConversationTurn? in
            guard case .finished(let finished, _) = request, !finished.answer.isEmpty else { return nil }
            return ConversationTurn(
                correlationID: request.id,
                problem: finished.request.problem.text,
                answer: String(String.UnicodeScalarView(finished.answer.unicodeScalars.prefix(textMax))),
                isPartial: finished.status != .completed,
            )
        }
        return turns.prefix(limit).reversed()
    }

    // MARK: Contents

    private func beThere() throws(RepositoryFailure) { if isAway { throw .unavailable } }

    private func conversation(_ id: ConversationID, of user: UserID) -> Conversation? {
        conversations[id].flatMap { $0.isDeleted || $0.conversation.userID != user ? nil : $0.conversation }
    }

    /// The newest first.
    private func sorted(in id: ConversationID) -> [ArchivedRequest] {
        requests.values.filter { $0.request.conversationID == id }
            .sorted { ($0.createdAt, "\($0.id)") > ($1.createdAt, "\($1.id)") }
    }
}

extension ArchivedRequest {
    package var id: CorrelationID { request.correlationID }

    package var createdAt: Timestamp {
        switch self {
        case .open(_, let createdAt): createdAt
        case .finished(let finished, _): finished.createdAt
        }
    }
}

extension ArchiveEntry {
    /// Its first and its last moment.
    fileprivate var span: (Timestamp, Timestamp) {
        switch self {
        case .submitted(_, let createdAt): (createdAt, createdAt)
        case .finished(let finished): (finished.createdAt, finished.finishedAt)
        }
    }
}

extension Conversation {
    fileprivate func including(_ from: Timestamp, _ to: Timestamp) -> Conversation {
        Conversation(
            id: id,
            userID: userID,
            title: title,
            createdAt: min(createdAt, from),
            updatedAt: max(updatedAt, to),
        )
    }
}

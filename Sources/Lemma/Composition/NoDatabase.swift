import Application
import Domain
import Shared

struct NoDatabase: ConversationRepository, RequestArchive {
    func create(_ conversation: Conversation) async throws(RepositoryFailure) { throw .unavailable }
    func find(_ id: ConversationID, of user: UserID) async throws(RepositoryFailure) -> Conversation? {
        throw .unavailable
    }
    func list(
        of user: UserID,
        after place: ConversationPlace?,
        limit: Int
    ) async throws(RepositoryFailure) -> [Conversation] { throw .unavailable }
    func rename(
        _ id: ConversationID,
        of user: UserID,
        to title: String,
        at time: Timestamp
    ) async throws(RepositoryFailure) -> Conversation? { throw .unavailable }
    func delete(
        _ id: ConversationID,
        of user: UserID,
        isExpected: Bool,
        at time: Timestamp
    ) async throws(RepositoryFailure) -> Bool { throw .unavailable }
    func requests(
        in id: ConversationID,
        of user: UserID,
        from place: RequestPlace?,
        limit: Int
    ) async throws(RepositoryFailure) -> [ArchivedRequest]? { throw .unavailable }
    func keep(_ entries: [ArchiveEntry]) async throws(ArchiveFailure) { throw .unavailable }
    func find(_ id: CorrelationID, of user: UserID) async throws(RepositoryFailure) -> ArchivedRequest? {
        throw .unavailable
    }
    func recentTurns(
        of conversation: ConversationID,
        limit: Int
    ) async throws(RepositoryFailure) -> [ConversationTurn] { throw .unavailable }
}

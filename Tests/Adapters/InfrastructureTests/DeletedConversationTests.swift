import Application
import Domain
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("Marks of deleted conversations, on Redis", .tags(.integration))
struct DeletedConversationTests {
    @Test("a conversation counts as deleted for its user from the deletion on, also where only the archive has it")
    func marked() async throws {
        try await withRedis { bench in
            let request = bench.makeRequest(user: UserID("ada"))
            _ = try await bench.publisher().publish(request, in: .new, as: nil)
            let (id, conversations) = (request.conversationID, bench.conversations)
            #expect(try await conversations.recent(id, of: UserID("ada")) == .known)
            #expect(try await !bench.end(request, of: UserID("bob")))
            #expect(try await conversations.recent(id, of: UserID("bob")) == .unknown, "another user deletes nothing")
            #expect(try await bench.end(request))
            #expect(try await conversations.recent(id, of: UserID("ada")) == .deleted)
            #expect(try await conversations.recent(id, of: UserID("bob")) == .unknown)

            let archived = bench.makeRequest(user: UserID("ada"))
            #expect(try await conversations.recent(archived.conversationID, of: UserID("ada")) == .unknown)
            _ = try await bench.end(archived, isArchived: true)
            #expect(try await conversations.recent(archived.conversationID, of: UserID("ada")) == .deleted)
        }
    }
}

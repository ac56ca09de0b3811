import Application
import Domain
import RedisClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("Deleting a conversation, on Redis", .tags(.integration))
struct DeletedConversationTests {
    /// Claims and finishes the next request.
    private func finishNext(_ bench: RedisBench, by consumer: RedisMessageConsumer) async throws {
        let claim = try await bench.claimNext(by: consumer)
        #expect(try await consumer.finish(bench.finished(claim), at: bench.writersPlace(claim)) == .finished)
    }

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

    @Test("a deletion ends running and waiting requests, deletes the turns, and blocks new requests")
    func deletion() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let first = try await bench.submit()
            try await finishNext(bench, by: consumer)
            let second = try await bench.submit(after: first)
            let running = try await bench.claimNext(by: consumer)
            let third = try await bench.submit(after: first)
            #expect(try await bench.end(first, of: UserID("eve")) == false)
            #expect(try await bench.record(third.correlationID).status == .queued, "another's is left alone")
            for _ in 0..<2 { #expect(try await bench.end(first)) }
            let last = try await bench.events(of: third.correlationID).last
            #expect(last?.hasPrefix(#"0-2 cancelled {"reason":"conversation_deleted""#) == true)
            #expect(try await consumer.renew([running.delivery]).cancelled.map(\.1) == [.conversationDeleted])
            #expect(try await bench.conversations.turns(of: first.conversationID).turns.isEmpty)
            for standing in [ConversationStanding.named, .confirmed] {
                await #expect(throws: PublishFailure.conversationNotFound) {
                    _ = try await bench.publisher().publish(
                        bench.makeRequest(in: first.conversationID),
                        in: standing,
                        as: nil,
                    )
                }
            }
            let end = bench.finished(running, .cancelled(.conversationDeleted), answer: "late")
            #expect(try await consumer.finish(end, at: bench.writersPlace(running)) == .finished)
            #expect(
                try await bench.conversations.turns(of: first.conversationID).turns.isEmpty,
                "nothing brings it back"
            )
            #expect(try await bench.record(second.correlationID).status == .cancelled)
        }
    }

    @Test("a conversation that only the archive has is closed before its deletion, for its owner only")
    func deletionOfTheKept() async throws {
        try await withRedis { bench in
            let request = bench.makeRequest()
            #expect(try await bench.end(request, of: UserID("eve"), isArchived: true) == false)
            _ = try await bench.publisher().publish(request, in: .confirmed, as: nil)
            let other = bench.makeRequest()
            #expect(try await bench.end(other, isArchived: true) == false)
            await #expect(throws: PublishFailure.conversationNotFound) {
                _ = try await bench.publisher().publish(other, in: .confirmed, as: nil)
            }
        }
    }

    @Test("deleting a conversation that neither Redis nor the archive has leaves no key")
    func deletionOfTheUnknown() async throws {
        try await withRedis { bench in
            for _ in 0..<20 {
                let unknown = bench.makeRequest()
                #expect(try await bench.end(unknown) == false)
            }
            let keys = try await bench.redis("DBSIZE").integer
            #expect(keys == 0)
        }
    }

    @Test("the requests of a deleted conversation are hidden at once, their texts erased, also those that failed")
    func deletionHides() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let first = try await bench.submit()
            try await finishNext(bench, by: consumer)
            let second = try await bench.submit(after: first)
            let failed = AnswerOutcome.failed(RequestFailure(kind: .providerFailed, detail: "broken"))
            let claim = try await bench.claimNext(by: consumer)
            _ = try await consumer.finish(bench.finished(claim, failed, answer: ""), at: .afterLast)
            let waiting = try await bench.submit(after: first)
            #expect(try await bench.record(first.correlationID).isDeleted == false)
            #expect(try await bench.end(first))
            for request in [first, second, waiting] {
                #expect(try await bench.record(request.correlationID).isDeleted)
            }
            #expect(try await bench.record(first.correlationID).request.problem.text.isEmpty)
            #expect(try await bench.events(of: first.correlationID).isEmpty)
        }
    }
}

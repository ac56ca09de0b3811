import Application
import Domain
import EventLoop
import RedisClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("Erasing what Redis has of an account", .tags(.integration))
struct QueueErasureTests {
    private static let account = AccountID(bits: UUIDBits(high: 0x0199_0000_0000_7000, low: 0x8000_0000_0000_0007))
    private static let user = UserID(account)

    private func erased(_ requests: MathRequest..., listing ids: [CorrelationID]? = nil) -> ErasedConversation {
        ErasedConversation(
            id: requests[0].conversationID,
            user: requests[0].userID,
            requests: ids ?? requests.map(\.correlationID),
        )
    }

    private func submit(
        _ bench: RedisBench,
        user: UserID = Self.user,
        provider: String? = nil
    ) async throws -> MathRequest {
        let request = bench.makeRequest(provider: provider, user: user)
        _ = try await bench.publisher().publish(request, in: .new, as: nil)
        return request
    }

    /// Empties the queue of records, as a persister does.
    private func archive(_ bench: RedisBench) async throws {
        let queue = try await bench.recordQueue("persister")
        try await queue.acknowledge(try await queue.receive(upTo: 500, waiting: false))
    }

    @Test("a conversation that is over goes with its requests, its turns and all of their places, and no other one")
    func ended() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let other = try await submit(bench, user: UserID("bob"))
            let otherClaim = try await bench.claimNext(by: consumer)
            _ = try await bench.append("1-1", "x = 3", to: otherClaim)
            _ = try await consumer.finish(bench.finished(otherClaim), at: .afterLast)
            let request = try await submit(bench)
            let claim = try await bench.claimNext(by: consumer)
            _ = try await bench.append("1-1", "x = 2", to: claim)
            _ = try await consumer.finish(bench.finished(claim), at: .afterLast)
            try await archive(bench)
            #expect(try await !bench.mentions(of: Self.account.description).isEmpty)
            let erasure = RedisQueueErasure(store: bench.store)
            // A request that has expired does no harm.
            let expired = bench.makeRequest(in: request.conversationID).correlationID
            #expect(try await erasure.erase(erased(request, listing: [request.correlationID, expired])))
            #expect(try await erasure.erase(erased(request)), "idempotent")
            for text in [Self.account.description, "\(request.correlationID)", "\(request.conversationID)"] {
                #expect(try await bench.mentions(of: text).isEmpty)
            }
            #expect(try await bench.record(other.correlationID).status == .completed)
            #expect(try await bench.conversations.turns(of: other.conversationID).turns.count == 1)
        }
    }

    @Test("turns lead to requests that the archive does not list")
    func unlisted() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let first = try await submit(bench)
            for _ in 0..<3 {
                let claim = try await bench.claimNext(by: consumer)
                _ = try await bench.append("1-1", "x = 2", to: claim)
                _ = try await consumer.finish(bench.finished(claim), at: .afterLast)
                _ = try await bench.submit(after: first)
            }
            #expect(try await RedisQueueErasure(store: bench.store).erase(erased(first, listing: [])))
            try await archive(bench)
            #expect(try await bench.mentions(of: Self.account.description).isEmpty)
        }
    }

    @Test("waiting requests end at once, a running one when its worker has ended it, one between two attempts at once")
    func running() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let erasure = RedisQueueErasure(store: bench.store)
            let first = try await submit(bench)
            for _ in 0..<2 { _ = try await bench.submit(after: first) }
            let claim = try await bench.claimNext(by: consumer)
            let paused = try await submit(bench, provider: "mock")
            let failure = RequestFailure(kind: .providerFailed, detail: "broken")
            let pausedClaim = try await bench.claimNext(by: consumer)
            _ = try await consumer.scheduleRetry(pausedClaim, for: .seconds(60), .providerFailed, failure, answer: "x")
            #expect(try await erasure.erase(erased(paused)))
            #expect(try await bench.redis("ZCARD", bench.keys.delayed(0)).integer == 0)

            #expect(try await !erasure.erase(erased(first, listing: [])))
            #expect(try await bench.redis("EXISTS", bench.keys.request(first.correlationID)).integer == 1)
            #expect(try await bench.redis("ZCARD", bench.keys.waiting(0)).integer == 0)
            #expect(try await consumer.renew([claim.delivery]).cancelled.map { $0.1 } == [.conversationDeleted])
            let refused = bench.makeRequest(user: Self.user, in: first.conversationID)
            await #expect(throws: PublishFailure.self) {
                _ = try await bench.publisher().publish(refused, in: .named, as: nil)
            }
            #expect(try await !erasure.erase(erased(first)), "its worker is still at it")
            let end = bench.finished(claim, .cancelled(.conversationDeleted), answer: "x =")
            #expect(try await consumer.finish(end, at: .afterLast) == .finished)
            #expect(try await erasure.erase(erased(first)))
            try await archive(bench)
            #expect(try await bench.mentions(of: Self.account.description).isEmpty)
            #expect(try await bench.redis("ZCARD", bench.keys.unfinished(0)).integer == 0)
        }
    }

    @Test("what a worker writes of an erased request brings nothing back")
    func late() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let request = try await submit(bench)
            let claim = try await bench.claimNext(by: consumer)
            try await bench.redis("DEL", bench.keys.request(request.correlationID))
            #expect(try await RedisQueueErasure(store: bench.store).erase(erased(request)))
            try await archive(bench)
            #expect(try await bench.append("1-1", "late", to: claim) == 0)
            #expect(try await consumer.finish(bench.finished(claim), at: .afterLast) == .superseded)
            _ = try await consumer.renew([claim.delivery])
            #expect(try await bench.mentions(of: Self.account.description).isEmpty)
            #expect(try await bench.mentions(of: "\(request.correlationID)").isEmpty)
        }
    }

    @Test("a conversation in which many wait is emptied in steps")
    func many() async throws {
        try await withRedis { bench in
            let first = try await submit(bench)
            for _ in 0..<250 { _ = try await bench.submit(after: first) }
            #expect(try await RedisQueueErasure(store: bench.store).erase(erased(first, listing: [])))
            for _ in 0..<2 { try await archive(bench) }
            #expect(try await bench.mentions(of: Self.account.description).isEmpty)
        }
    }

    @Test("requests of a conversation that was deleted lately are searched by their lane, and no others are touched")
    func strays() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let first = try await submit(bench)
            for _ in 0..<7 {
                let claim = try await bench.claimNext(by: consumer)
                _ = try await consumer.finish(bench.finished(claim), at: .afterLast)
                _ = try await bench.submit(after: first)
            }
            let bobs = try await submit(bench, user: UserID("bob"))
            #expect(try await bench.end(first))
            try await archive(bench)
            let erasure = RedisQueueErasure(store: bench.store)
            func deleted(_ milliseconds: Int64) -> ErasedConversation {
                let time = Timestamp(milliseconds: SystemClock().now().milliseconds - milliseconds)
                return ErasedConversation(id: first.conversationID, user: Self.user, requests: [], deletedAt: time)
            }
            #expect(try await erasure.erase(deleted(0)))
            #expect(try await bench.mentions(of: Self.account.description).count > 2)
            // None of their keys would live any more.
            try await erasure.eraseStrays(of: [deleted(200_000_000)])
            #expect(try await bench.mentions(of: Self.account.description).count > 2)
            try await erasure.eraseStrays(of: [deleted(1000)])
            #expect(try await bench.mentions(of: Self.account.description).isEmpty)
            #expect(try await bench.record(bobs.correlationID).status == .queued)
        }
    }

    @Test("another user's conversation, and another user's requests, are left alone")
    func foreign() async throws {
        try await withRedis { bench in
            let bobs = try await submit(bench, user: UserID("bob"))
            let mine = try await submit(bench)
            let erasure = RedisQueueErasure(store: bench.store)
            #expect(
                try await erasure.erase(
                    ErasedConversation(id: bobs.conversationID, user: Self.user, requests: [bobs.correlationID])
                )
            )
            #expect(try await erasure.erase(erased(mine, listing: [mine.correlationID, bobs.correlationID])))
            #expect(try await bench.record(bobs.correlationID).status == .queued)
        }
    }

    @Test(
        "dead letters of jobs and of records go that name the account or an end user, with what is left of their requests"
    )
    func letters() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let queue = try await bench.recordQueue()
            let failure = RequestFailure(kind: .providerFailed, detail: "broken")
            let endUser = UserID(endUser: "ada", of: Self.account)
            let users = [Self.user, UserID("bob"), endUser, UserID("\(Self.account)0")]
            for user in users + users {
                _ = try await submit(bench, user: user)
                let end = bench.finished(try await bench.claimNext(by: consumer), .failed(failure))
                _ = try await consumer.finish(end, at: .afterLast, letter: .attemptsExhausted)
            }
            for record in try await queue.receive(upTo: 99, waiting: false) {
                try await queue.deadLetter(record, detail: "no")
            }
            try await bench.redis("XADD", bench.keys.finished(0), "*", "v", "1", "kind", "odd", "user", Self.user.text)
            #expect(try await queue.receive(upTo: 9, waiting: false).isEmpty)
            let erasure = RedisQueueErasure(store: bench.store)
            #expect(try await erasure.eraseDeadLetters(of: Self.account))
            let mentions = try await bench.mentions(of: "\(Self.account)\"")
            #expect(mentions.isEmpty, "\(mentions)")
            #expect(try await bench.mentions(of: endUser.text).isEmpty)
            #expect(try await bench.redis("XLEN", bench.keys.dead(0)).integer == 4)
            #expect(try await bench.redis("XLEN", bench.keys.finishedDead(0)).integer == 8)
        }
    }

    @Test("letters are found on every page, and one whose request still runs stays with it")
    func pages() async throws {
        try await withRedis { bench in
            let dead = bench.keys.finishedDead(0)
            for number in 1...350 {
                let user = number % 100 == 0 ? Self.user.text : "bob"
                try await bench.redis("XADD", dead, "\(number)-0", "reason", "malformed", "user", user)
            }
            let running = try await submit(bench)
            _ = try await bench.claimNext(by: bench.consumer())
            try await bench.redis(
                "XADD",
                dead,
                "*",
                "reason",
                "refused",
                "user",
                Self.user.text,
                "conversation",
                "\(running.conversationID)",
                "id",
                "\(running.correlationID)",
            )
            let erasure = RedisQueueErasure(store: bench.store)
            #expect(try await !erasure.eraseDeadLetters(of: Self.account))
            #expect(try await bench.redis("XLEN", dead).integer == 348)
        }
    }

    @Test("the archive has the records up to a place once they are deleted, whatever comes after that")
    func records() async throws {
        try await withRedis { bench in
            let erasure = RedisQueueErasure(store: bench.store)
            #expect(try await erasure.hasArchived(try await erasure.newestRecords()), "without any")
            _ = try await submit(bench)
            let places = try await erasure.newestRecords()
            #expect(try await !erasure.hasArchived(places))
            let queue = try await bench.recordQueue()
            let records = try await queue.receive(upTo: 9, waiting: false)
            _ = try await submit(bench)
            #expect(try await !erasure.hasArchived(places))
            try await queue.acknowledge(records)
            #expect(try await erasure.hasArchived(places))
            #expect(try await !erasure.hasArchived(try await erasure.newestRecords()))
        }
    }

    @Test("without Redis it says that it is unavailable")
    func unavailable() async throws {
        try await withRedis { bench in
            let request = try await submit(bench)
            bench.server.kill()
            let erasure = RedisQueueErasure(store: bench.store)
            await #expect(throws: RepositoryFailure.unavailable) { _ = try await erasure.erase(erased(request)) }
            await #expect(throws: RepositoryFailure.unavailable) {
                _ = try await erasure.eraseDeadLetters(of: Self.account)
            }
            await #expect(throws: RepositoryFailure.unavailable) { _ = try await erasure.newestRecords() }
        }
    }
}

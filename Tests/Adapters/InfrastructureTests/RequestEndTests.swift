import Application
import Domain
import EventLoop
import RedisClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("Waiting for the end of a request, on Redis", .tags(.integration), .timeLimit(.minutes(1)))
struct RequestEndTests {
    /// Longer than any test waits: what returns before was noticed.
    private static let limit = Duration.seconds(300)

    /// Begins to wait.
    private func wait(for request: MathRequest, _ bench: RedisBench) -> (any RequestEndWaiter, OneShot<Bool>) {
        let waiter = bench.pushes.ends.waiter(for: request)
        let isOver = OneShot<Bool>(loop: bench.loop)
        bench.loop.spawn { isOver.succeed(await waiter.wait(within: Self.limit)) }
        return (waiter, isOver)
    }

    @Test("the end of a running request is pushed, and an end before the wait counts")
    func end() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let claim = try await bench.claimed(by: consumer)
            let channel = bench.keys.ended(claim.request.correlationID)
            let waits = [wait(for: claim.request, bench), wait(for: claim.request, bench)]
            try await bench.waitForSubscribers(1, on: channel)
            _ = try await consumer.finish(bench.finished(claim), at: .afterLast)
            for (_, isOver) in waits { #expect(try await isOver.value()) }
            #expect(await bench.pushes.ends.waiter(for: claim.request).wait(within: Self.limit))
            try await bench.waitForSubscribers(0, on: channel)
        }
    }

    @Test(
        "every way to end a request is published",
        arguments: ["finish", "cancel", "deletion", "unreadable", "interrupt"],
    )
    func ends(way: String) async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let request = try await bench.submit()
            let recorder = ChannelRecorder()
            let subscriber = RedisSubscriber(bench.configuration, on: bench.loop, delegate: recorder)
            defer { subscriber.close() }
            try await subscriber.subscribe(to: bench.keys.ended(request.correlationID), deadline: .seconds(5))
            switch way {
            case "finish":
                _ = try await consumer.finish(bench.finished(bench.claimNext(by: consumer)), at: .afterLast)
            case "cancel": _ = try await bench.repository.cancel(request, .requested)
            case "deletion": _ = try await bench.end(request)
            case "unreadable":
                let claim = try await bench.claimNext(by: consumer)
                try await bench.redis("HDEL", bench.keys.request(request.correlationID), "conversation")
                try await consumer.failUnreadable(claim.delivery, detail: "no conversation")
            case _: try await bench.submit(after: request, onBusy: .interrupt)
            }
            try await eventually("the end", on: bench.loop) { recorder.messages == [""] }
        }
    }

    @Test("a waiting request receives no token, however many there are")
    func noTokens() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let claim = try await bench.claimed(by: consumer)
            let (_, isOver) = wait(for: claim.request, bench)
            try await bench.waitForSubscribers(1, on: bench.keys.ended(claim.request.correlationID))
            let writer = bench.writers.writer(for: claim)
            for number in 0..<2000 {
                writer.append(.token, "token \(number) ")
                guard number % 100 == 0 else { continue }
                _ = try await writer.flush()
                // How many connections got it.
                let live = bench.keys.live(claim.request.correlationID)
                #expect(try await bench.redis("SPUBLISH", live, "1-1 token {}").integer == 0)
            }
            _ = try await writer.flush()
            #expect(try await bench.redis("PUBSUB", "SHARDCHANNELS").array?.count == 1)
            _ = try await consumer.finish(bench.finished(claim), at: .afterLast)
            #expect(try await isOver.value())
        }
    }

    @Test("an end that a replica of the release before does not publish is noticed by the status")
    func unpublished() async throws {
        try await withRedis { bench in
            let claim = try await bench.claimed(by: bench.consumer())
            let (_, isOver) = wait(for: claim.request, bench)
            try await bench.waitForSubscribers(1, on: bench.keys.ended(claim.request.correlationID))
            try await bench.redis("HSET", bench.keys.request(claim.request.correlationID), "status", "completed")
            #expect(try await isOver.value())
        }
    }

    @Test("a request that expires while it is waited for is over")
    func expired() async throws {
        try await withRedis { bench in
            let request = try await bench.submit()
            let (_, isOver) = wait(for: request, bench)
            try await bench.waitForSubscribers(1, on: bench.keys.ended(request.correlationID))
            try await bench.redis("DEL", bench.keys.request(request.correlationID))
            #expect(try await isOver.value())
        }
    }

    @Test("an end while the push connection is away is noticed when it is back")
    func cutConnection() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let claim = try await bench.claimed(by: consumer)
            let channel = bench.keys.ended(claim.request.correlationID)
            let (_, isOver) = wait(for: claim.request, bench)
            try await bench.waitForSubscribers(1, on: channel)
            try await bench.redis("CLIENT", "KILL", "TYPE", "pubsub")
            _ = try await consumer.finish(bench.finished(claim), at: .afterLast)
            #expect(try await isOver.value())
        }
    }

    @Test("a wait can be cancelled, before it begins and while it lasts; closing ends every wait")
    func cancelled() async throws {
        try await withRedis { bench in
            let request = try await bench.submit()
            let early = bench.pushes.ends.waiter(for: request)
            early.cancel()
            #expect(await early.wait(within: Self.limit) == false)
            let channel = bench.keys.ended(request.correlationID)
            let (waiter, isOver) = wait(for: request, bench)
            let (_, another) = wait(for: request, bench)
            try await bench.waitForSubscribers(1, on: channel)
            waiter.cancel()
            #expect(try await isOver.value() == false)
            #expect(try await bench.subscribers(of: channel) == 1, "another still waits")
            bench.pushes.close()
            #expect(try await another.value() == false)
        }
    }

    @Test("a limit ends the wait")
    func limit() async throws {
        try await withRedis { bench in
            let request = try await bench.submit()
            #expect(await bench.pushes.ends.waiter(for: request).wait(within: .milliseconds(1)) == false)
            try await bench.waitForSubscribers(0, on: bench.keys.ended(request.correlationID))
        }
    }
}

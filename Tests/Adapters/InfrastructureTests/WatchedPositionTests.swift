import Application
import Domain
import EventLoop
import RedisClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("Watching a request that waits in the queue", .tags(.integration))
struct WatchedPositionTests {
    @Test("a request that was accepted just now is watched from its queued event on, which is not read again")
    func accepted() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let first = try await bench.submit()
            let request = bench.makeRequest()
            let publication = try await bench.publisher().publish(request, in: .new, as: nil)
            let viewer = ViewerProbe()
            viewer.subscription = bench.answers.watch(
                AcceptedRequest(
                    request: request,
                    createdAt: publication.createdAt,
                    position: publication.position,
                    jobNumber: publication.jobNumber,
                ),
                viewer: viewer,
            )
            #expect(viewer.names == ["0-1 queued"], "delivered at once")
            let stored = try await bench.events(of: request.correlationID)
            #expect(stored == ["0-1 queued \(viewer.lastData)"])
            try await bench.waitForSubscribers(1, of: request.correlationID)
            // Its later positions follow from the number that the submission returned.
            let claim = try await bench.claimNext(by: consumer)
            #expect(claim.request.correlationID == first.correlationID)
            try await eventually("a new position", on: bench.loop) { viewer.events.count == 2 }
            #expect(viewer.names.last == "queued" && viewer.lastData.hasSuffix(#""position":1}"#))
            let next = try await bench.claimNext(by: consumer)
            try await bench.finishAfterThreeTokens(next, by: consumer)
            try await eventually("the end", on: bench.loop) { viewer.end == .terminal }
            #expect(viewer.names == ["0-1 queued", "queued"] + threeTokens.dropFirst())
        }
    }

    @Test("an accepted request that waits in its conversation's queue has no job number")
    func acceptedBehindAnother() async throws {
        try await withRedis { bench in
            let first = try await bench.submit()
            let next = bench.makeRequest(user: first.userID, in: first.conversationID)
            let publication = try await bench.publisher().publish(next, in: .named, as: nil)
            #expect(publication.jobNumber == nil)
            let alone = try await bench.publisher().publish(bench.makeRequest(), in: .new, as: nil)
            #expect(alone.jobNumber == 2)
        }
    }

    @Test("a queue position is sent when it changes, and only then")
    func positions() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            for _ in 0..<3 { _ = try await bench.submit() }
            let request = try await bench.submit()
            let viewer = try await bench.watch(request.correlationID)
            try await eventually("queued", on: bench.loop) { viewer.events.count == 1 }
            #expect(viewer.lastData.hasSuffix(#""position":4}"#))
            // Before the first read of the queue.
            #expect(try await consumer.receive(upTo: 2).count == 2)
            try await eventually("a new position", on: bench.loop) { viewer.events.count == 2 }
            #expect(viewer.names == ["0-1 queued", "queued"])
            #expect(viewer.lastData.hasSuffix(#""position":2}"#))
            #expect(viewer.lastData.contains(request.correlationID.description))
        }
    }

    @Test("the position in a conversation's queue is reported when it changes, there and once the request is a job")
    func positionInLine() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let first = try await bench.submit()
            let claim = try await bench.claimNext(by: consumer)
            let second = try await bench.submit(after: first)
            let third = try await bench.submit(after: first)
            let viewer = try await bench.watch(third.correlationID)
            try await eventually("the first event", on: bench.loop) { viewer.events.count == 1 }
            #expect(viewer.lastData.hasSuffix(#""position":2}"#))
            // Jobs of others that come and go do not change its place.
            for _ in 0..<3 { _ = try await bench.claimed(by: consumer) }
            for _ in 0..<2 { _ = try await bench.submit() }
            try await eventually("jobs before it", on: bench.loop) { viewer.events.count == 2 }
            #expect(viewer.lastData.hasSuffix(#""position":4}"#))
            for _ in 0..<2 { _ = try await bench.claimNext(by: consumer) }
            _ = try await consumer.finish(bench.finished(claim), at: .afterLast)
            let next = try await bench.claimNext(by: consumer)
            #expect(next.request.correlationID == second.correlationID)
            try await eventually("the next in line", on: bench.loop) { viewer.lastData.hasSuffix(#""position":1}"#) }
            _ = try await bench.submit()
            _ = try await consumer.finish(bench.finished(next), at: .afterLast)
            try await eventually("behind another", on: bench.loop) { viewer.lastData.hasSuffix(#""position":2}"#) }
            _ = try await bench.claimNext(by: consumer)
            try await eventually("the next job", on: bench.loop) { viewer.lastData.hasSuffix(#""position":1}"#) }
        }
    }
}

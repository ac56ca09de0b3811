import Application
import Domain
import EventLoop
import RedisClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

/// A viewer that records its events, with as much room as the test allows.
final class ViewerProbe: AnswerViewer {
    private(set) var events: [AnswerEvent] = []
    private(set) var end: AnswerEnd?
    /// Events that fit before the viewer has no room any more.
    var room = Int.max
    var subscription: (any AnswerSubscription)?

    func offer(_ event: AnswerEvent) -> Bool {
        guard room > 0 else { return false }
        deliver(event)
        return true
    }

    func deliver(_ event: AnswerEvent) {
        room -= 1
        events.append(event)
    }

    func answerDidEnd(_ end: AnswerEnd) { self.end = end }

    /// `<id> <name>` of each event; without an id where it has none.
    var names: [String] { events.map { ($0.id.map { "\($0) " } ?? "") + $0.name.rawValue } }

    /// The data of the last event.
    var lastData: String { String(decoding: events.last?.data ?? [], as: UTF8.self) }
}

/// The names of all events of a request whose answer is three tokens.
let threeTokens = ["0-1 queued", "1-0 started", "1-1 token", "1-2 token", "1-3 token", "1-4 completed"]

extension RedisBench {
    /// Begins to watch; the probe keeps the subscription.
    func watch(_ id: CorrelationID, after cursor: String? = nil, room: Int = .max) async throws -> ViewerProbe {
        let probe = ViewerProbe()
        probe.room = room
        let record = try await record(id)
        let start = cursor.flatMap { EventID($0) }.map { AnswerStart.after($0) } ?? .first
        probe.subscription = answers.watch(record, from: start, viewer: probe)
        return probe
    }

    /// Writes three tokens and the end: ``threeTokens``.
    func finishAfterThreeTokens(_ claim: JobClaim, by consumer: RedisMessageConsumer) async throws {
        for number in 1...3 { _ = try await append("1-\(number)", "\(number)", to: claim) }
        #expect(try await consumer.finish(finished(claim), at: .id(EventID(attempt: 1, sequence: 4))) == .finished)
    }

    /// What a feed of the request knows at its beginning.
    func watched(_ id: CorrelationID) async throws -> WatchedRequest {
        let record = try await record(id)
        return WatchedRequest(request: record.request, status: record.status, jobNumber: record.jobNumber)
    }

    /// How many subscribers a channel has.
    func subscribers(of channel: String) async throws -> Int {
        try await redis("PUBSUB", "SHARDNUMSUB", channel).array?.last?.integer ?? -1
    }

    /// Waits until Redis reports `count` subscribers of a request's live channel.
    func waitForSubscribers(_ count: Int, of id: CorrelationID) async throws {
        try await waitForSubscribers(count, on: keys.live(id))
    }

    /// The same for any channel.
    func waitForSubscribers(_ count: Int, on channel: String) async throws {
        guard try await eventually({ try await subscribers(of: channel) == count }) else {
            throw NeverHappened(what: "\(count) subscribers")
        }
    }
}

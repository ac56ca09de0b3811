import Application
import ArchiveSupport
import Domain
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("Solve options in Redis", .tags(.integration))
struct SolveOptionStorageTests {
    private static let failure = RequestFailure(kind: .providerFailed, detail: "broken")

    private func request(_ bench: RedisBench) -> MathRequest {
        let plain = bench.makeRequest()
        return MathRequest(
            correlationID: plain.correlationID,
            conversationID: plain.conversationID,
            userID: plain.userID,
            problem: plain.problem,
            requestedProvider: nil,
            options: SolveOptions(SolveOption.samples),
        )
    }

    @Test("every option reaches the worker, the archive's record and the request of a redriven dead letter")
    func everyOption() async throws {
        try await withRedis { bench in
            let request = request(bench)
            _ = try await bench.publisher().publish(request, in: .new, as: nil)
            #expect(try await bench.record(request.correlationID).request.options == request.options)
            let consumer = bench.consumer(attemptsMax: 1)
            let claim = try await bench.claimNext(by: consumer)
            #expect(claim.request.options == request.options)
            let last = bench.finished(claim.next(after: Self.failure), .failed(Self.failure))
            _ = try await consumer.finish(last, at: .id(EventID(attempt: 2, sequence: 0)), letter: .attemptsExhausted)
            let records = try await bench.recordQueue().receive(upTo: 10, waiting: true)
            #expect(records.map(\.entry.request.options) == [request.options, request.options])

            let letters = RedisDeadLetters(store: bench.store)
            let letter = try #require(try await letters.list(upTo: 1).first)
            let redriven = bench.makeRequest(in: request.conversationID).correlationID
            #expect(try await letters.redrive(letter.name, as: redriven) == .redriven)
            #expect(try await bench.record(redriven).request.options == request.options)
        }
    }

    @Test("a hash has the fields of the releases before: choices always, numbers where they are set")
    func fields() {
        func options(_ options: SolveOptions) -> [String] {
            let sample = Samples(user: UserID("ada"), number: 1).request(1)
            let request = MathRequest(
                correlationID: sample.correlationID,
                conversationID: sample.conversationID,
                userID: sample.userID,
                problem: sample.problem,
                requestedProvider: nil,
                options: options,
            )
            return Array(RequestHash.fields(of: request).dropFirst(6))
        }
        #expect(options(SolveOptions()) == ["onDisconnect", "continue", "onBusy", "enqueue"])
        #expect(
            options(SolveOptions([.temperature: .number(2), .maxOutputTokens: .integer(5), .onBusy: .text("reject")]))
                == ["temperature", "2.0", "maxOutputTokens", "5", "onDisconnect", "continue", "onBusy", "reject"]
        )
    }
}
